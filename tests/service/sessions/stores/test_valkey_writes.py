"""What became of a write: done, refused, or not known; never done twice and never told wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.session_stores import load
from support.valkey_server import ValkeyServer, valkey_server
from valkey_proxy import ValkeyProxy, valkey_proxy

from nextchar.errors import OutcomeUnknown, Unavailable
from nextchar.service.sessions.stores import valkey_link
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.valkey import ValkeyStore

_NOW = time.time()
_FIRST = SessionRecord("ann", "one", "tiny", "1", "d", 1, 5, _NOW, 60.0, _NOW + 3600, b"text")
_SECOND = replace(_FIRST, revision=2, sealed=b"text and more")
_OTHERS = replace(_FIRST, revision=2, sealed=b"text of another")
_SCRIPT = b"EVAL"
Work = Callable[[ValkeyStore, ValkeyProxy], Awaitable[None]]


@asynccontextmanager
async def _direct(server: ValkeyServer) -> AsyncIterator[ValkeyStore]:
    store = ValkeyStore(server.url, grace_seconds=60)
    yield store
    await store.close()


async def _taken(store: ValkeyStore) -> None:
    """Waits until a store makes as many calls as it may."""
    async with asyncio.timeout(30):
        while not store._link._slots.locked():
            await asyncio.sleep(0)


@pytest.fixture
def through_proxy(valkey: ValkeyServer) -> Callable[[Work], None]:
    """Runs a test's coroutine with a store that has one session, behind a proxy."""
    valkey.flush()

    async def body(work: Work) -> None:
        async with valkey_proxy(valkey.port) as proxy:
            store = ValkeyStore(proxy.url, grace_seconds=60)
            assert await store.create(_FIRST, now=_NOW)
            await work(store, proxy)
            await store.close()

    return lambda work: asyncio.run(body(work))


def test_a_write_whose_answer_was_lost_is_found_done(through_proxy: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        proxy.lose_answer_to(_SCRIPT)
        assert await store.replace(_SECOND, revision=1)
        assert await load(store, "ann", "one") == _SECOND
        proxy.lose_answer_to(_SCRIPT)
        assert await store.delete("ann", "one")
        proxy.lose_answer_to(_SCRIPT)
        assert await store.create(_FIRST, now=_NOW)

    through_proxy(work)


def test_a_lost_write_that_then_meets_anothers_is_not_known_and_not_done_again(
    through_proxy: Callable[[Work], None], valkey: ValkeyServer
) -> None:
    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        async def overtake() -> None:
            async with _direct(valkey) as other:
                assert await other.replace(replace(_OTHERS, revision=3), revision=2)

        proxy.lose_answer_to(_SCRIPT, overtake)
        with pytest.raises(OutcomeUnknown) as told:
            await store.replace(_SECOND, revision=1)
        assert told.value.revision == 2
        assert "session 'one' may be at revision 2 now; ask for the session" in told.value.message
        assert await load(store, "ann", "one") == replace(_OTHERS, revision=3)

    through_proxy(work)


def test_a_creation_that_may_have_been_done_says_so(
    through_proxy: Callable[[Work], None], valkey: ValkeyServer
) -> None:
    new = replace(_FIRST, session_id="two")

    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        async def overtake() -> None:
            async with _direct(valkey) as other:
                assert await other.replace(replace(_OTHERS, session_id="two"), revision=1)

        proxy.lose_answer_to(_SCRIPT, overtake)
        with pytest.raises(OutcomeUnknown, match="session 'two' may have been created") as told:
            await store.create(new, now=_NOW)
        assert told.value.revision == 1

    through_proxy(work)


def test_a_write_without_an_answer_in_time_is_not_known_and_one_that_was_not_sent_is_not_done(
    through_proxy: Callable[[Work], None],
) -> None:
    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        for connection in store._redis.connection_pool._available_connections:
            connection.socket_timeout = 0.05
        proxy.hold_answers_to(_SCRIPT)
        with pytest.raises(OutcomeUnknown, match="may be at revision 2"):
            await store.replace(_SECOND, revision=1)
        with pytest.raises(Unavailable, match="did not answer a moment ago"):  # at once, and nothing is sent
            await store.replace(replace(_SECOND, revision=3), revision=2)
        store._link._down_until = 0.0
        assert await load(store, "ann", "one") == _SECOND

    through_proxy(work)


def test_a_delete_without_an_answer_in_time_is_not_known(through_proxy: Callable[[Work], None]) -> None:
    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        for connection in store._redis.connection_pool._available_connections:
            connection.socket_timeout = 0.05
        proxy.hold_answers_to(_SCRIPT)
        with pytest.raises(OutcomeUnknown, match="session 'one' may have been deleted"):
            await store.delete("ann", "one")

    through_proxy(work)


def test_a_store_that_is_gone_has_done_nothing() -> None:
    async def work() -> None:
        store = ValkeyStore("valkey://127.0.0.1:1", grace_seconds=60)
        with pytest.raises(Unavailable, match="does not answer"):
            await store.replace(_SECOND, revision=1)
        await store.close()

    asyncio.run(work())


def test_more_calls_than_connections_wait_for_their_turn(valkey: ValkeyServer) -> None:
    valkey.flush()
    count = 5 * valkey_link.MAX_CALLS

    async def work() -> None:
        async with _direct(valkey) as store:  # it has no connection yet
            made = [replace(_FIRST, session_id=f"s{k}") for k in range(count)]
            assert all(await asyncio.gather(*(store.create(record, now=_NOW) for record in made)))
            assert await store.count("ann", now=_NOW) == count
            assert len(store._redis.connection_pool._available_connections) <= valkey_link.MAX_CALLS

    asyncio.run(work())


def test_a_store_that_pauses_under_many_calls_loses_none(
    through_proxy: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_link, "_SLOT_SECONDS", 60.0)

    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        go_on = proxy.hold_answers_to(_SCRIPT)
        made = [replace(_FIRST, session_id=f"s{k}") for k in range(250)]
        calls = [asyncio.ensure_future(store.create(record, now=_NOW)) for record in made]
        await _taken(store)
        go_on.set()
        assert all(await asyncio.gather(*calls))

    through_proxy(work)


def test_calls_that_wait_too_long_for_their_turn_do_not_make_the_store_look_down(
    through_proxy: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_link, "_SLOT_SECONDS", 0.05)

    async def work(store: ValkeyStore, proxy: ValkeyProxy) -> None:
        store._link._slots = asyncio.Semaphore(1)
        go_on = proxy.hold_answers_to(_SCRIPT)
        first = asyncio.ensure_future(store.replace(_SECOND, revision=1))
        await _taken(store)
        with pytest.raises(Unavailable, match="the session store is busy"):
            await load(store, "ann", "one")
        go_on.set()
        assert await first
        assert await load(store, "ann", "one") == _SECOND

    through_proxy(work)


def test_a_primary_that_was_made_a_replica_is_left_for_the_one_that_the_address_leads_to(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    valkey.flush()

    async def work(second: ValkeyServer) -> None:
        async with valkey_proxy(valkey.port) as proxy, _direct(second) as other:
            assert await other.create(_FIRST, now=_NOW)
            store = ValkeyStore(proxy.url, grace_seconds=60)
            assert await store.create(_FIRST, now=_NOW)
            proxy.target = second.port
            with valkey.client as client:
                client.replicaof("127.0.0.1", second.port)
            assert await store.replace(_SECOND, revision=1)
            assert await load(other, "ann", "one") == _SECOND
            await store.close()

    with valkey_server(tmp_path) as second:
        try:
            asyncio.run(work(second))
        finally:
            with valkey.client as client:
                client.replicaof("NO", "ONE")
