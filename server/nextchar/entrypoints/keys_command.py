"""`nextchar keys`: make API keys and see which there are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from nextchar.schemas.limits import MAX_PRIORITY, MIN_PRIORITY
from nextchar.security.api_keys import KeyRecord, make_key, read_records
from nextchar.security.principal import Scope

_RATE = click.FloatRange(min=0, min_open=True)
_PRIORITY = click.IntRange(MIN_PRIORITY, MAX_PRIORITY)

_FILE = click.option(
    "--file",
    "path",
    envvar="NEXTCHAR_API_KEYS_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of records. [env: NEXTCHAR_API_KEYS_FILE]",
)


@click.group
def keys() -> None:
    """Make API keys, list them."""


@keys.command
@_FILE
@click.option("--owner", required=True, help="Whose key it is; keys of one owner see the same sessions.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be given several times.",
)
@click.option("--days", type=click.IntRange(min=1), help="How long it is good; for ever by default.")
@click.option("--max-lanes", type=click.IntRange(min=1), help="Lanes it may have at a time.")
@click.option("--requests-per-second", type=_RATE, help="Requests it may make.")
@click.option("--chars-per-second", type=_RATE, help="Characters it may have read and drawn.")
@click.option("--best-priority", type=_PRIORITY, help="The lowest priority number it may ask for; 0.")
def new(path: Path | None, owner: str, scopes: tuple[str, ...], days: int | None, **budget: Any) -> None:
    """Make a key: it is printed here and never again. Its record goes to the file, or below it."""
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    given = {name: value for name, value in budget.items() if value is not None}
    key, record = make_key(owner, [Scope(scope) for scope in scopes], expires=expires, **given)
    if path is None:
        click.echo(f"{key}\n{record.line}")
        return
    _append(path, record)
    click.echo(key)


@keys.command("list")
@_FILE
def list_keys(path: Path | None) -> None:
    """Whose keys a file has, and what they may do."""
    if path is None:
        raise click.UsageError("which file? --file, or NEXTCHAR_API_KEYS_FILE")
    for record in read_records(path):
        until = "" if record.expires is None else f"  until {record.expires.isoformat()}"
        click.echo(f"{record.id}  {record.owner}  {','.join(sorted(record.scopes))}{until}")


def _append(path: Path, record: KeyRecord) -> None:
    """Write a record at the end of a file, which is made for its owner alone if it is not there."""
    if path.exists():
        read_records(path)  # says what is wrong with it before it is written to
    else:
        path.touch(0o600)
    text = path.read_text(encoding="utf-8")
    gap = "" if not text or text.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{gap}{record.line}\n")
