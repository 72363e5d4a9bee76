"""Several servers over one real Valkey, and a Valkey that fails in every way it can."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from support.live_server import LiveServer, live_server
from support.session_client import Session
from support.session_stores import load
from support.valkey_server import ValkeyServer, valkey_server
from support.waiting import until

from nextchar.service.sessions.stores import valkey as valkey_store
from nextchar.service.sessions.stores import valkey_link
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.valkey import ValkeyStore

_KEY = "k" * 32


@pytest.fixture(scope="module")
def mistreated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Runs a Valkey for the tests that kill, freeze and fill it."""
    with valkey_server(tmp_path_factory.mktemp("mistreated")) as server:
        yield server


@pytest.fixture
def store(mistreated: ValkeyServer) -> ValkeyServer:
    mistreated.flush()
    return mistreated


@pytest.fixture(scope="module")
def two(models: Path, mistreated: ValkeyServer) -> Iterator[tuple[LiveServer, LiveServer]]:
    settings = {"session_store": mistreated.url, "state_key": _KEY}
    with live_server(models, **settings) as one, live_server(models, **settings) as other:
        yield one, other


def _use_again(replicas: tuple[LiveServer, LiveServer]) -> None:
    """Makes servers that have given the store up ask it at once."""
    for replica in replicas:
        replica.app.service.session_manager._store._store._link._down_until = 0.0


@pytest.fixture
def replicas(
    two: tuple[LiveServer, LiveServer],
    store: ValkeyServer,  # noqa: ARG001 - without sessions
) -> tuple[LiveServer, LiveServer]:
    _use_again(two)
    return two


def _refused(answer: httpx.Response, code: str = "store_unavailable") -> None:
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == code
    assert answer.headers["Retry-After"]


def test_clients_that_hop_between_replicas_are_where_one_server_would_have_them(
    replicas: tuple[LiveServer, LiveServer], server: LiveServer
) -> None:
    draw, text = random.Random(1), "the quick brown fox jumps over a lazy dog. "
    pairs = [(Session.create(replicas[k % 2], seed=k), Session.create(server, seed=k)) for k in range(6)]
    for _ in range(100):
        hopping, still = draw.choice(pairs)
        hopping = hopping.on(draw.choice(replicas))
        call, fields = draw.choice(
            [
                ("feed", {"text": text[: draw.randint(0, 40)], "return": "none"}),
                ("sample", {"max_tokens": draw.randint(0, 30)}),
                ("checkpoint", {"name": "c"}),
                ("rewind", {"num_chars": 0}),
                ("next", {"top": 3}),
                ("score", {"input": ["fox", "dog"]}),
            ]
        )
        kept = ("data", "choices", "logprob", "position", "revision", "max_rewind", "checkpoints")
        found, expected = hopping.do(call, **fields), still.do(call, **fields)
        assert {k: found.get(k) for k in kept} == {k: expected.get(k) for k in kept}
    for hopping, still in pairs:
        assert hopping.next() == still.next()


def test_a_state_moves_from_replica_to_replica(replicas: tuple[LiveServer, LiveServer]) -> None:
    one, other = Session.create(replicas[0], prime="abc"), Session.create(replicas[1])
    assert other.put_state(one.state()).status_code == 200
    assert one.next() == other.next()


def test_a_valkey_that_is_killed_and_comes_back_has_kept_every_answer(
    replicas: tuple[LiveServer, LiveServer], store: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_link, "_OPEN_SECONDS", 0.0)
    session = Session.create(replicas[0], prime="abc")
    first = session.do("feed", text="xyz")
    store.kill()
    _refused(session.post("feed", text="lost"))
    _refused(session.post("next"))
    _refused(replicas[1].post("/v1/sessions", {"model": "tiny"}))
    assert replicas[0].post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
    store.start()
    assert session.do("next")["data"] == first["data"]
    assert session.on(replicas[1]).info()["position"] == 6


def test_a_full_valkey_refuses_and_moves_nothing(
    replicas: tuple[LiveServer, LiveServer], store: ValkeyServer
) -> None:
    session = Session.create(replicas[0], prime="abc")
    store.config("maxmemory-policy", "noeviction")
    store.config("maxmemory", "1")
    _refused(session.post("feed", text="xyz"))
    _refused(replicas[0].post("/v1/sessions", {"model": "tiny"}))
    assert session.info()["position"] == 3
    store.config("maxmemory", "0")
    assert session.do("feed", text="xyz")["position"] == 6


def test_a_flushed_valkey_has_no_sessions(
    replicas: tuple[LiveServer, LiveServer], store: ValkeyServer
) -> None:
    session = Session.create(replicas[0], prime="abc")
    store.flush()
    assert session.post("feed", text="a").json()["error"]["code"] == "session_not_found"
    assert Session.create(replicas[0], session_id=session.id).info()["position"] == 0


def test_a_valkey_that_hangs_is_given_up_and_then_used_again(
    replicas: tuple[LiveServer, LiveServer], store: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session.create(replicas[0], prime="abc")
    monkeypatch.setattr(valkey_link, "_OPEN_SECONDS", 3600.0)
    store.freeze()
    _refused(session.post("next"))
    waited = session.post("next")  # nobody waits for it a second time
    _refused(waited)
    assert "did not answer a moment ago" in waited.json()["error"]["message"]
    store.thaw()
    _use_again(replicas)
    assert session.do("feed", text="x")["position"] == 4


def test_an_expired_session_is_told_from_none_and_then_forgotten(
    replicas: tuple[LiveServer, LiveServer], store: ValkeyServer
) -> None:
    session = Session.create(replicas[0], ttl_seconds=0.001)
    until(lambda: "error" in session.info())
    assert session.post("next").json()["error"]["code"] == "session_expired"
    with store.client as client:
        (key,) = client.keys("nextchar:*:session:*")
        assert 3500 < client.ttl(key) <= 3600


def test_a_write_that_is_sent_again_because_its_answer_was_lost_is_done_once(
    store: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SessionRecord("ann", "one", "tiny", "1", "d1", 1, 5, time.time(), 60.0, time.time() + 60, b"1")
    second = replace(first, revision=2, sealed=b"2")

    async def work() -> None:
        valkey = ValkeyStore(store.url, grace_seconds=60)
        monkeypatch.setattr(valkey_store, "_token", lambda: "first")
        assert [await valkey.create(first, now=time.time()) for _ in range(2)] == [True, True]
        monkeypatch.setattr(valkey_store, "_token", lambda: "second")
        assert [await valkey.replace(second, revision=1) for _ in range(2)] == [True, True]
        monkeypatch.setattr(valkey_store, "_token", lambda: "another")
        assert not await valkey.replace(second, revision=1)
        assert not await valkey.create(first, now=time.time())
        assert await load(valkey, "ann", "one") == second
        await valkey.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("url", "host"), [("redis://valkey:1/0", "valkey"), ("valkey://valkey:1", "valkey"), ("valkey://r", "r")]
)
def test_an_address_names_its_host(url: str, host: str) -> None:
    pool = ValkeyStore(url, grace_seconds=60)._redis.connection_pool
    assert pool.connection_kwargs["host"] == host
