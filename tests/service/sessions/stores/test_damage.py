"""A damaged database: clear errors, a server that stays up, and the file kept for whoever wants to look."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.live_server import live_server
from support.session_client import Session
from support.session_stores import load

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import OwnerUsage, SessionRecord
from nextchar.service.sessions.stores.sqlite import SqliteStore

_RECORD = SessionRecord("ann", "one", "tiny", "1", "d1", 1, 5, 1.0, 60.0, 2e9, b"sealed")
_GARBAGE = b"this is no database at all, not even a little" * 9999


def _overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(_GARBAGE[: path.stat().st_size])


def _middle_overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(_GARBAGE[: path.stat().st_size - 4096])


def _truncated(path: Path) -> None:
    os.truncate(path, 5000)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(_GARBAGE)
    other.replace(path)


_DAMAGES = [_overwritten, _middle_overwritten, _truncated, _emptied, _replaced, Path.unlink]


def _checkpointed(path: Path) -> None:
    """All that the log holds, written to the file itself."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.mark.parametrize("damage", _DAMAGES)
def test_damaged_while_it_is_used_it_is_said_and_then_begun_anew(
    models: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "sessions.db"
    with live_server(models, data_dir=tmp_path) as server:
        sessions = [Session.create(server, prime="abc") for _ in range(30)]
        before = sessions[0].next()
        _checkpointed(path)
        damage(path)
        seen = set()
        for session in sessions:
            answer = session.post("feed", text="d", **{"return": "none"})
            if answer.status_code == 200:  # what SQLite still had in memory is the truth
                assert answer.json()["position"] == 4
                continue
            code = answer.json()["error"]["code"]
            assert (answer.status_code, code) in [(503, "store_unavailable"), (404, "session_not_found")]
            seen.add(code)
        assert "store_unavailable" in seen
        assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
        fresh = Session.create(server, prime="abc")
        assert fresh.next() == before
        assert fresh.do("feed", text="d")["position"] == 4
    with live_server(models, data_dir=tmp_path) as server:
        assert fresh.on(server).info()["position"] == 4


@pytest.mark.parametrize("damage", [_overwritten, _middle_overwritten, _truncated, _replaced])
def test_damaged_before_the_start_the_server_starts_and_the_file_is_kept(
    models: Path, tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sessions.db"
    with live_server(models, data_dir=tmp_path) as server:
        old, *_ = [Session.create(server, prime="abc") for _ in range(30)]
    damage(path)
    content = path.read_bytes()
    with live_server(models, data_dir=tmp_path) as server:
        answers = {old.on(server).post("next").status_code for _ in range(3)}
        assert answers <= {404, 503}
        assert 404 in answers
        assert Session.create(server, prime="abc").next()
    kept = [file for file in tmp_path.iterdir() if file.name.startswith("sessions.db.damaged-")]
    assert content in [file.read_bytes() for file in kept]
    assert "a new one is begun" in caplog.text


def test_a_file_of_the_format_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"

    async def write() -> None:
        store = SqliteStore(path)
        for name in ("one", "two"):
            assert await store.create(replace(_RECORD, session_id=name), now=1.0)
        await store.close()

    async def read() -> tuple[OwnerUsage, SessionRecord | None]:
        store = SqliteStore(path)
        found = await store.kept("ann"), await load(store, "ann", "two")
        await store.close()
        return found

    asyncio.run(write())
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TRIGGER sessions_other_bytes; DROP TABLE owners; PRAGMA user_version = 0;"
        "CREATE TABLE owners (owner TEXT PRIMARY KEY, num_kept INTEGER NOT NULL) WITHOUT ROWID;"
    )
    connection.close()
    assert asyncio.run(read()) == (OwnerUsage(2, 2 * len(b"sealed")), replace(_RECORD, session_id="two"))


def test_a_place_where_no_file_can_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").mkdir()
    with pytest.raises(Unavailable, match="cannot open the session store"):
        SqliteStore(tmp_path / "sessions.db")
