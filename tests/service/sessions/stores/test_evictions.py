"""A Valkey that evicts to make room: what is lost is told, counted once, and no longer in the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from support.session_stores import load
from support.valkey_server import ValkeyServer

from nextchar.service.sessions.stores import valkey_scripts
from nextchar.service.sessions.stores.base import OwnerUsage, SessionRecord, Tidied
from nextchar.service.sessions.stores.valkey import ValkeyStore

_NOW = time.time()
_RECORD = SessionRecord("ann", "s0", "tiny", "1", "d", 1, 5, _NOW, 60.0, _NOW + 3600, b"12345")
_PREFIX = "nextchar:{=ann}:"
Evict = Callable[..., None]
Work = Callable[[ValkeyStore, Evict], Awaitable[None]]


@pytest.fixture
def use(valkey: ValkeyServer) -> Callable[[Work], None]:
    """Runs a test's coroutine with a store of three sessions, and what evicts keys of theirs."""
    valkey.flush()

    def evict(*names: str) -> None:
        with valkey.client as client:
            assert client.delete(*(_PREFIX + name for name in names)) == len(names)

    async def body(work: Work) -> None:
        store = ValkeyStore(valkey.url, grace_seconds=60)
        for k in range(3):
            assert await store.create(replace(_RECORD, session_id=f"s{k}"), now=_NOW)
        await work(store, evict)
        await store.close()

    return lambda work: asyncio.run(body(work))


def test_an_evicted_session_is_told_from_one_that_never_was(use: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, evict: Evict) -> None:
        evict("session:s0")
        until = _RECORD.expires_at
        assert await store.load("ann", "s0") is None
        assert await store.was_evicted("ann", "s0", now=_NOW)
        await store.touch("ann", "s0", ttl_seconds=1.0, expires_at=until + 99)
        assert await store.tidy(now=_NOW, before=0.0) == Tidied(0, 1)
        assert await store.tidy(now=_NOW, before=0.0) == Tidied(0, 0)  # it is counted once
        for owner, name, now, told in (
            ("ann", "s0", _NOW, True),
            ("ann", "s0", until, False),
            ("ann", "s9", _NOW, False),
            ("bob", "s0", _NOW, False),
        ):
            assert await store.was_evicted(owner, name, now=now) is told
        assert not await store.delete("ann", "s0")
        assert not await store.was_evicted("ann", "s0", now=_NOW)

    use(work)


def test_the_evicted_do_not_count_once_they_are_counted(use: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, evict: Evict) -> None:
        evict("session:s0", "session:s2")
        assert await store.count("ann", now=_NOW) == 1
        assert await store.kept("ann") == OwnerUsage(1, 5)
        assert await store.count(None, now=_NOW) == 1
        assert await store.next_expiry("ann", after=_NOW) == _RECORD.expires_at
        for name in ("s0", "s2"):
            assert await store.was_evicted("ann", name, now=_NOW)

    use(work)


@pytest.mark.parametrize("lost", [["live"], ["live", "sizes"], ["live", "sizes", "session:s0"]])
def test_where_the_books_are_evicted_too_an_unknown_id_is_told_as_evicted(
    use: Callable[[Work], None], lost: list[str]
) -> None:
    async def work(store: ValkeyStore, evict: Evict) -> None:
        evict(*lost)
        assert await store.was_evicted("ann", "s9", now=_NOW)
        assert not await store.was_evicted("bob", "s9", now=_NOW)
        found = await load(store, "ann", "s1")
        assert found is not None
        assert await store.replace(replace(found, revision=2, sealed=b"123"), revision=1)
        assert await store.was_evicted("ann", "s9", now=_NOW)  # there are books again, and not all is in them
        assert [record.session_id for record in await store.page("ann", after="", limit=9, now=_NOW)] == [
            "s1"
        ]
        assert await store.create(replace(_RECORD, session_id="s0"), now=_NOW) is (lost[-1] == "session:s0")
        assert not await store.was_evicted("ann", "s9", now=_NOW + 10**6)

    use(work)


def test_an_owner_who_ends_the_last_session_has_lost_none(use: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, evict: Evict) -> None:  # noqa: ARG001
        for k in range(3):
            assert await store.delete("ann", f"s{k}")
        assert not await store.was_evicted("ann", "s0", now=_NOW)
        assert await store.create(_RECORD, now=_NOW)
        assert not await store.was_evicted("ann", "s1", now=_NOW)

    use(work)


def test_sizes_that_were_evicted_are_measured_again(use: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, evict: Evict) -> None:
        evict("sizes")
        assert await store.kept("ann") == OwnerUsage(3, 0)
        assert await store.tidy(now=_NOW, before=0.0) == Tidied(0, 0)
        assert await store.kept("ann") == OwnerUsage(3, 15)

    use(work)


def test_every_batch_is_looked_at(use: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    from nextchar.service.sessions.stores import valkey as valkey_store

    monkeypatch.setattr(valkey_store, "_A_BATCH", 2)

    async def work(store: ValkeyStore, evict: Evict) -> None:
        for k in range(3, 9):
            assert await store.create(replace(_RECORD, session_id=f"s{k}"), now=_NOW)
        evict("session:s0", "session:s3", "session:s8")
        assert await store.tidy(now=_NOW, before=0.0) == Tidied(0, 3)
        assert await store.tidy(now=_NOW, before=_RECORD.expires_at + 1) == Tidied(6, 0)
        assert await store.kept("ann") == OwnerUsage(0, 0)

    use(work)


@pytest.mark.parametrize(("policy", "warns"), [("allkeys-lru", True), ("volatile-lru", False)])
def test_a_policy_that_evicts_books_is_warned_of_once(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture, policy: str, warns: bool
) -> None:
    async def work() -> None:
        store = ValkeyStore(valkey.url, grace_seconds=60)
        for _ in range(2):
            await store.tidy(now=_NOW, before=0.0)
        await store.close()

    valkey.config("maxmemory-policy", policy)
    try:
        asyncio.run(work())
    finally:
        valkey.config("maxmemory-policy", "noeviction")
    told = [message for message in caplog.messages if "maxmemory-policy is" in message]
    assert len(told) == warns


def test_the_scripts_name_their_keys_and_no_others() -> None:
    for name in ("CREATE", "REPLACE", "TOUCH", "DELETE", "TIDY"):
        assert "'nextchar" not in getattr(valkey_scripts, name)
