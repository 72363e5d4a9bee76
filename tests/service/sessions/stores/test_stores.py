"""Every store keeps the same promises."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.session_stores import load
from support.valkey_server import ValkeyServer

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import (
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    SessionStore,
    Tidied,
)
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.stores.sqlite import SqliteStore
from nextchar.service.sessions.stores.valkey import ValkeyStore

# Times are far ahead of the clock: Valkey forgets what has expired by its own.
_NOW = time.time() + 10_000
_RECORD = SessionRecord(
    "ann", "one", "tiny", "1", "d1", 1, 5, _NOW + 100, 60.0, _NOW + 160, b"sealed \0 bytes"
)
Use = Callable[[SessionStore], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def use(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Use], None]:
    """Runs a test's coroutine with a fresh store."""

    def make() -> SessionStore:
        if request.param == "memory":
            return MemoryStore()
        if request.param == "sqlite":
            return SqliteStore(tmp_path / "s" / "sessions.db")
        valkey: ValkeyServer = request.getfixturevalue("valkey")
        valkey.flush()
        return ValkeyStore(valkey.url, grace_seconds=3600)

    @asynccontextmanager
    async def store() -> AsyncIterator[SessionStore]:
        made = make()
        yield made
        await made.close()

    def run(work: Use) -> None:
        async def body() -> None:
            async with store() as made:
                await work(made)

        asyncio.run(body())

    return run


def test_what_was_created_is_loaded(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        assert await load(store, "ann", "one") is None
        assert await store.create(_RECORD, now=_NOW + 100)
        assert await load(store, "ann", "one") == _RECORD

    use(work)


def test_a_session_grows_as_far_as_all_its_owner_has_leaves_room(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        for owner, session_id, size in (("ann", "one", 6), ("ann", "two", 30), ("bob", "one", 500)):
            record = replace(_RECORD, owner=owner, session_id=session_id, sealed=b"x" * size)
            assert await store.create(record, now=_NOW + 100)

        def of_size(size: int, revision: int) -> SessionRecord:
            return replace(_RECORD, revision=revision, sealed=b"y" * size)

        with pytest.raises(QuotaExceeded) as refused:
            await store.replace(of_size(11, 2), revision=1, max_bytes=40)
        assert refused.value.num_bytes == 36
        assert await store.kept("ann") == OwnerUsage(2, 36)
        assert await store.replace(of_size(10, 2), revision=1, max_bytes=40)
        assert await store.kept("ann") == OwnerUsage(2, 40)
        # One that does not grow is stored, however much there is; what is not there is not too much.
        assert await store.replace(of_size(10, 3), revision=2, max_bytes=7)
        assert await store.replace(of_size(9, 4), revision=3, max_bytes=7)
        assert not await store.replace(of_size(900, 3), revision=2, max_bytes=7)
        assert await load(store, "ann", "one") == of_size(9, 4)

    use(work)


def test_of_two_sessions_that_grow_at_once_one_finds_the_room_taken(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        for session_id in ("one", "two"):
            await store.create(replace(_RECORD, session_id=session_id, sealed=b"xx"), now=_NOW + 100)
        grown = [replace(_RECORD, session_id=name, revision=2, sealed=b"xxxxx") for name in ("one", "two")]
        done = await asyncio.gather(
            *(store.replace(record, revision=1, max_bytes=7) for record in grown), return_exceptions=True
        )
        assert {type(answer) for answer in done} == {bool, QuotaExceeded}
        assert await store.kept("ann") == OwnerUsage(2, 7)

    use(work)


def test_a_revision_of_a_session_that_was_deleted_and_made_again_is_another(
    use: Callable[[Use], None],
) -> None:
    async def work(store: SessionStore) -> None:
        await store.create(_RECORD, now=_NOW + 100)
        await store.delete("ann", "one")
        again = replace(_RECORD, created=_NOW + 101)
        await store.create(again, now=_NOW + 101)
        assert not await store.replace(replace(_RECORD, revision=2), revision=1)
        assert await load(store, "ann", "one") == again
        assert await store.replace(replace(again, revision=2), revision=1)

    use(work)


def test_a_session_that_was_given_another_time_to_live_is_not_replaced_with_the_one_before(
    use: Callable[[Use], None],
) -> None:
    async def work(store: SessionStore) -> None:
        await store.create(_RECORD, now=_NOW + 100)
        await store.touch("ann", "one", ttl_seconds=1.5, expires_at=_NOW + 120)
        assert not await store.replace(replace(_RECORD, revision=2), revision=1)
        renewed = replace(_RECORD, revision=2, ttl_seconds=1.5)
        assert await store.replace(renewed, revision=1)
        assert await load(store, "ann", "one") == renewed

    use(work)


def test_an_id_is_in_use_until_its_session_expires_and_for_its_owner_only(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        assert await store.create(_RECORD, now=_NOW + 100)
        assert not await store.create(replace(_RECORD, position=9), now=_NOW + 159.9)
        assert await store.create(replace(_RECORD, owner="bob"), now=_NOW + 100)
        assert await store.create(replace(_RECORD, position=9, expires_at=_NOW + 999), now=_NOW + 160)
        found = await load(store, "ann", "one")
        assert found is not None
        assert found.position == 9

    use(work)


def test_of_two_writers_of_one_revision_one_is_told_no(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        await store.create(_RECORD, now=_NOW + 100)
        writes = [replace(_RECORD, revision=2, position=k, sealed=bytes([k])) for k in (6, 7)]
        done = await asyncio.gather(*(store.replace(write, revision=1) for write in writes))
        assert sorted(done) == [False, True]
        assert await load(store, "ann", "one") == writes[done.index(True)]
        assert not await store.replace(replace(_RECORD, session_id="gone", revision=2), revision=1)

    use(work)


def test_deleting_tells_whether_it_was_there(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        await store.create(_RECORD, now=_NOW + 100)
        assert not await store.delete("bob", "one")
        assert await store.delete("ann", "one")
        assert not await store.delete("ann", "one")
        assert not await store.replace(replace(_RECORD, revision=2), revision=1)

    use(work)


def test_a_page_is_of_one_owners_live_sessions_in_order(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        for k in range(5):
            await store.create(
                replace(_RECORD, session_id=f"s{k}", expires_at=_NOW + 150 + k), now=_NOW + 100
            )
        await store.create(replace(_RECORD, owner="bob"), now=_NOW + 100)
        page = await store.page("ann", after="s1", limit=2, now=_NOW + 100)
        assert [record.session_id for record in page] == ["s2", "s3"]
        assert {record.sealed for record in page} == {b""}
        assert [r.session_id for r in await store.page("ann", after="", limit=9, now=_NOW + 152)] == [
            "s3",
            "s4",
        ]
        assert [await store.count(owner, now=_NOW + 152) for owner in ("ann", "bob", None)] == [2, 1, 3]

    use(work)


def test_touching_moves_the_expiry_and_nothing_else(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        await store.create(_RECORD, now=_NOW + 100)
        await store.touch("ann", "one", ttl_seconds=90.0, expires_at=_NOW + 500)
        assert await load(store, "ann", "one") == replace(_RECORD, ttl_seconds=90.0, expires_at=_NOW + 500)
        await store.touch("ann", "gone", ttl_seconds=1.0, expires_at=_NOW + 500)

    use(work)


def test_the_next_to_expire_is_the_owners_first_after_a_time(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        assert await store.next_expiry("ann", after=_NOW) is None
        for k in (2, 0, 1):
            await store.create(
                replace(_RECORD, session_id=f"s{k}", expires_at=_NOW + 150 + k), now=_NOW + 100
            )
        await store.create(replace(_RECORD, owner="bob", expires_at=_NOW + 120), now=_NOW + 100)
        assert await store.next_expiry("ann", after=_NOW + 100) == _NOW + 150
        assert await store.next_expiry("ann", after=_NOW + 150) == _NOW + 151
        assert await store.next_expiry("ann", after=_NOW + 152) is None

    use(work)


def test_tidying_forgets_what_expired_before(use: Callable[[Use], None]) -> None:
    async def work(store: SessionStore) -> None:
        for k in range(4):
            await store.create(
                replace(_RECORD, session_id=f"s{k}", expires_at=_NOW + 150 + k), now=_NOW + 100
            )
        # Each is told of once, as soon as it has expired, and forgotten a while later.
        assert await store.tidy(now=_NOW + 149, before=_NOW + 140) == Tidied(0, 0)
        assert await store.tidy(now=_NOW + 151, before=_NOW + 140) == Tidied(2, 0)
        assert await store.tidy(now=_NOW + 151, before=_NOW + 140) == Tidied(0, 0)
        assert await load(store, "ann", "s0")
        assert await store.tidy(now=_NOW + 152, before=_NOW + 152) == Tidied(1, 0)
        assert await store.kept("ann") == OwnerUsage(2, 2 * len(_RECORD.sealed))
        assert await load(store, "ann", "s2") is not None

    use(work)


def test_two_processes_connections_see_one_truth(tmp_path: Path) -> None:
    async def work() -> None:
        stores = [SqliteStore(tmp_path / "sessions.db") for _ in range(2)]
        assert await stores[0].create(_RECORD, now=_NOW + 100)
        assert await load(stores[1], "ann", "one") == _RECORD
        new = replace(_RECORD, revision=2)
        done = await asyncio.gather(*(store.replace(new, revision=1) for store in stores))
        assert sorted(done) == [False, True]
        for store in stores:
            await store.close()

    asyncio.run(work())


def test_a_locked_database_is_unavailable_and_then_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from nextchar.service.sessions.stores import sqlite

    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.05)

    async def work() -> None:
        store = SqliteStore(tmp_path / "sessions.db")
        other = sqlite3.connect(tmp_path / "sessions.db")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await store.create(_RECORD, now=_NOW + 100)
        other.rollback()
        other.close()
        assert await store.create(_RECORD, now=_NOW + 100)
        await store.close()

    asyncio.run(work())


def test_a_full_disk_refuses_and_loses_nothing(small_disk: Path) -> None:
    def record(k: int) -> SessionRecord:
        return replace(_RECORD, session_id=f"s{k:04}", sealed=bytes(5000))

    async def filled(store: SessionStore) -> None:
        for k in range(3000):
            assert await store.create(record(k), now=_NOW)

    async def work() -> None:
        store = SqliteStore(small_disk / "sessions.db")
        with pytest.raises(Unavailable, match="full") as refused:
            await filled(store)
        assert refused.value.code == "store_unavailable"
        kept = await store.count("ann", now=_NOW)
        assert kept > 20
        found = await store.page("ann", after="", limit=3000, now=_NOW)
        assert [entry.session_id for entry in found] == [record(k).session_id for k in range(kept)]
        assert await load(store, "ann", "s0003") == record(3)
        await store.close()

    asyncio.run(work())
