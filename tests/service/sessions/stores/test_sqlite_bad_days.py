"""A file and a disk that fail while the server runs: nothing is acknowledged that is not kept."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.replacing import replace_in
from support.session_stores import load

from nextchar.errors import OutcomeUnknown, Unavailable
from nextchar.service.sessions.stores import sqlite, sqlite_reserve
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.sqlite import SqliteStore

_NOW = 1.8e9
_RECORD = SessionRecord("ann", "one", "tiny", "1", "d1", 1, 5, _NOW, 60.0, _NOW + 60, b"sealed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.db"


def test_sqlite_keeps_what_it_has_when_it_is_opened_again(path: Path) -> None:
    async def write() -> None:
        store = SqliteStore(path)
        await store.create(_RECORD, now=_NOW)
        await store.close()

    async def read() -> SessionRecord | None:
        store = SqliteStore(path)
        found = await load(store, "ann", "one")
        await store.close()
        return found

    asyncio.run(write())
    assert asyncio.run(read()) == _RECORD


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path)
        await store.create(_RECORD, now=_NOW)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}
        await store.close()

    old = os.umask(0)
    try:
        asyncio.run(work())
    finally:
        os.umask(old)


def test_a_file_that_everybody_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    path.chmod(0o664)

    async def work() -> None:
        await SqliteStore(path).close()

    asyncio.run(work())
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_folder_that_is_deleted_is_made_anew_with_all_that_belongs_to_it(path: Path) -> None:
    opened: list[bool] = []

    async def work() -> None:
        store = SqliteStore(path, before_open=lambda: opened.append(path.parent.is_dir()))
        assert await store.create(_RECORD, now=_NOW)
        shutil.rmtree(path.parent)
        with pytest.raises(Unavailable, match="removed or replaced"):
            await load(store, "ann", "one")
        assert await store.create(_RECORD, now=_NOW)
        assert opened == [True, True]
        await store.close()
        again = SqliteStore(path)
        assert await load(again, "ann", "one") == _RECORD
        await again.close()

    asyncio.run(work())


def test_a_change_written_to_a_file_that_is_removed_meanwhile_is_not_said_to_be_kept(path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path)
        asked = store._file.is_still_there
        looks = iter([True, False])
        store._file.is_still_there = lambda: next(looks) and asked()  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown, match="removed while a change was written"):
            await store.create(_RECORD, now=_NOW)
        store._file.is_still_there = asked  # type: ignore[method-assign]
        await store.close()

    asyncio.run(work())


@pytest.fixture
def unreachable(path: Path) -> Iterator[None]:
    """The folder of the file leads in a circle, so that looking at it fails otherwise than by its absence."""
    yield
    if path.parent.is_symlink():
        path.parent.unlink()


@pytest.mark.usefixtures("unreachable")
def test_a_path_that_cannot_be_looked_at_is_an_unavailable_store_and_passes(path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path)
        assert await store.create(_RECORD, now=_NOW)
        away = path.parent.rename(path.parent.with_name("away"))
        path.parent.symlink_to(path.parent)
        for call in (load(store, "ann", "one"), store.tidy(now=_NOW, before=0.0), store.time()):
            with pytest.raises(Unavailable, match="symbolic links") as told:
                await call
            assert told.value.code == "store_unavailable"
        path.parent.unlink()
        away.rename(path.parent)
        assert await load(store, "ann", "one") == _RECORD
        await store.close()

    asyncio.run(work())


def test_those_who_wait_for_a_lock_are_refused_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a call waits for those before it is a part of its own."""
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.2)

    async def work() -> None:
        store = SqliteStore(path)
        waits: list[float] = []
        connect = store._file.connection

        def connection(wait_seconds: float = 0.0) -> sqlite3.Connection:
            waits.append(max(0.0, wait_seconds))
            return connect(wait_seconds)

        store._file.connection = connection  # type: ignore[method-assign]
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        calls = [store.create(replace(_RECORD, session_id=f"s{k}"), now=_NOW) for k in range(20)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        other.rollback()
        other.close()
        assert {str(error) for error in told} == {"the session store cannot be used now: database is locked"}
        assert sum(waits) < 2 * 0.2
        assert await store.create(_RECORD, now=_NOW)
        await store.close()

    asyncio.run(work())


def test_a_commit_that_fails_by_the_disk_is_not_known(path: Path) -> None:
    class Failing(sqlite3.Connection):
        def commit(self) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error

    async def work() -> None:
        store = SqliteStore(path)
        store._file._connection = Failing(path, check_same_thread=False)
        with pytest.raises(OutcomeUnknown, match="did not confirm the change: disk I/O error"):
            await store.create(_RECORD, now=_NOW)
        assert await load(store, "ann", "one") is None  # the file is checked and opened again
        await store.close()

    asyncio.run(work())


async def _fill(store: SqliteStore) -> int:
    """Creates sessions until the disk is full; returns how many there are."""
    for k in range(10_000):
        try:
            await store.create(replace(_RECORD, session_id=f"s{k:04}", sealed=bytes(5000)), now=_NOW)
        except Unavailable:
            return k
    raise AssertionError


def test_on_a_full_disk_sessions_can_be_deleted_and_then_there_is_room(small_disk: Path) -> None:
    async def work() -> None:
        store = SqliteStore(small_disk / "sessions.db")
        await store.tidy(now=_NOW, before=0.0)
        count = await _fill(store)
        assert count > 100
        for k in range(count):
            assert await store.delete("ann", f"s{k:04}")
        assert await store.count("ann", now=_NOW) == 0
        assert await store.create(_RECORD, now=_NOW)
        await store.close()

    asyncio.run(work())


def test_on_a_full_disk_expired_sessions_are_forgotten_and_room_is_set_aside_again(small_disk: Path) -> None:
    reserve = small_disk / "sessions.reserve"

    async def work() -> None:
        store = SqliteStore(small_disk / "sessions.db")
        await store.tidy(now=_NOW, before=0.0)
        assert reserve.stat().st_size == sqlite_reserve._NUM_BYTES
        count = await _fill(store)
        assert (await store.tidy(now=_NOW, before=_NOW + 100)).num_expired == count
        assert await store.create(_RECORD, now=_NOW)
        await store.close()

    asyncio.run(work())


def test_a_disk_without_room_for_a_reserve_is_used_without_one(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    async def work() -> None:
        store = SqliteStore(path)
        with monkeypatch.context() as patched:
            replace_in(patched, sqlite_reserve, "os", open=full)
            await store.tidy(now=_NOW, before=0.0)
        assert "no room can be set aside" in caplog.text
        assert not path.with_suffix(".reserve").exists()
        await store.close()

    asyncio.run(work())


def test_the_first_key_is_the_stores(path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path)
        assert [await store.check_key(key) for key in ("a", "a", "b")] == [True, True, False]
        await store.close()
        again = SqliteStore(path)
        assert [await again.check_key(key) for key in ("b", "a")] == [False, True]
        await again.close()

    asyncio.run(work())
