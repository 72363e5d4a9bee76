"""Runs a live server that asks for keys, with one key that may do everything or what a test says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.live_server import LiveServer, live_server

from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope


@contextmanager
def keyed_server(
    models: Path, folder: Path, scopes: Sequence[Scope] = tuple(Scope), **settings: Any
) -> Iterator[tuple[LiveServer, str]]:
    """Gives the server and its key, which is kept in a file of the folder."""
    key, record = make_key("team", list(scopes))
    file = folder / "keys.jsonl"
    file.write_text(record.line + "\n")
    with live_server(models, api_keys_file=file, **settings) as running:
        yield running, key
