"""Implements `nextchar keys`, which makes and lists API keys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from nextchar.schemas.base import validated
from nextchar.schemas.limits import MAX_PRIORITY, MIN_PRIORITY
from nextchar.security.api_keys import KeyRecord, make_key, read_records
from nextchar.security.operator_file import read_text
from nextchar.security.principal import Scope

_RATE = click.FloatRange(min=0, min_open=True)
_DAYS = click.IntRange(min=1, max=36_500)
_PRIORITY = click.IntRange(MIN_PRIORITY, MAX_PRIORITY)

_FILE = click.option(
    "--file",
    "path",
    envvar="NEXTCHAR_API_KEYS_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of API keys. [env: NEXTCHAR_API_KEYS_FILE]",
)


@click.group
def keys() -> None:
    """Make and list API keys for a server."""


@keys.command
@_FILE
@click.option("--owner", required=True, help="The owner; all keys of an owner share its sessions.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key allows; may be given several times.",
)
@click.option("--days", type=_DAYS, help="The days until the key expires; never by default.")
@click.option("--max-lanes", type=click.IntRange(min=1), help="The most lanes the key may use at a time.")
@click.option("--requests-per-second", type=_RATE, help="The most requests per second.")
@click.option("--chars-per-second", type=_RATE, help="The most characters per second, read and sampled.")
@click.option(
    "--best-priority", type=_PRIORITY, help="The lowest priority number the key may use; 0 by default."
)
def new(path: Path | None, owner: str, scopes: tuple[str, ...], days: int | None, **budget: Any) -> None:
    """Make a key and print it once. Its record is added to the file, or printed below the key."""
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    given = {name: value for name, value in budget.items() if value is not None}
    wanted = [Scope(scope) for scope in scopes]
    key, record = validated(lambda: make_key(owner, wanted, expires=expires, **given))
    if path is None:
        click.echo(f"{key}\n{record.line}")
        return
    _append(path, record)
    click.echo(key)


@keys.command("list")
@_FILE
def list_keys(path: Path | None) -> None:
    """List the keys of a file: id, owner, scopes and expiry."""
    if path is None:
        raise click.UsageError("no file of API keys is given: use --file or NEXTCHAR_API_KEYS_FILE")
    for record in read_records(path):
        until = "" if record.expires is None else f"  until {record.expires.isoformat()}"
        click.echo(f"{record.id}  {record.owner}  {','.join(sorted(record.scopes))}{until}")


def _append(path: Path, record: KeyRecord) -> None:
    """Appends a record to a file; a new file can be read by its owner only."""
    if not path.exists():
        path.touch(0o600)
    read_records(path)  # raises if the file is not valid, before it is changed
    text = read_text(path, "--file")
    gap = "" if not text or text.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{gap}{record.line}\n")
