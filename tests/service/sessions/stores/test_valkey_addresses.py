"""Every way to a Valkey: a user and a password, TLS, sentinels that fail over, a cluster."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
from support.certificates import Authority
from support.ports import free_port
from support.session_stores import load
from support.valkey_server import Sentinel, ValkeyServer
from support.waiting import until

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import OwnerUsage, SessionRecord, Tidied
from nextchar.service.sessions.stores.valkey import ValkeyStore

T = TypeVar("T")
_PAUSE_SECONDS, _MAX_TRIES = 0.02, 1500
_NOW = time.time()
_RECORD = SessionRecord("a{n}n", "one", "tiny", "1", "d1", 1, 5, _NOW, 9e4, _NOW + 9e4, b"sealed \0 bytes")


@pytest.fixture
def ended() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _server(folder: Path, ended: ExitStack, *options: str) -> ValkeyServer:
    folder.mkdir(exist_ok=True)
    server = ValkeyServer(folder)
    server.launch(*options)
    ended.callback(server.kill)
    return server


def _replication(server: ValkeyServer) -> Any:
    with redis.Redis(port=server.port, password="secr3t") as client:
        return client.info("replication")


def _wait_for(happened: Callable[[], object]) -> None:
    """Asks real servers that come up until they say so."""

    def is_so() -> object:
        with suppress(redis.exceptions.RedisError, KeyError, IndexError):
            return happened()
        return False

    until(is_so)


async def _answered(store: ValkeyStore, call: Callable[[], Awaitable[T]]) -> T:
    """Makes a call again and again until real servers that come up answer it."""
    for _ in range(_MAX_TRIES):
        try:
            return await call()
        except Unavailable:
            store._link._down_until = 0.0
            await asyncio.sleep(_PAUSE_SECONDS)
    return await call()


async def _created(store: ValkeyStore) -> bool:
    return await _answered(store, lambda: store.create(_RECORD, now=time.time()))


async def _used(url: str) -> None:
    """All that a store does."""
    store = ValkeyStore(url, grace_seconds=60)
    assert await _created(store)
    assert await load(store, _RECORD.owner, "one") == _RECORD
    new = replace(_RECORD, revision=2, sealed=b"more")
    assert await store.replace(new, revision=1)
    await store.touch(_RECORD.owner, "one", ttl_seconds=8e4, expires_at=_NOW + 8e4)
    assert await store.kept(_RECORD.owner) == OwnerUsage(1, len(b"more"))
    assert await store.count_of("tiny", "1", now=time.time()) == 1
    assert await store.count(None, now=time.time()) == 1
    assert [r.session_id for r in await store.page(_RECORD.owner, after="", limit=9, now=time.time())] == [
        "one"
    ]
    assert not await store.was_evicted(_RECORD.owner, "other", now=time.time())
    assert await store.delete(_RECORD.owner, "one")
    assert await store.kept(_RECORD.owner) == OwnerUsage(0, 0)
    assert await store.tidy(now=time.time(), before=time.time()) == Tidied(0, 0)
    await store.close()


def test_a_user_and_a_password(tmp_path: Path, ended: ExitStack) -> None:
    rights = ["--user", "keeper", "on", ">secr3t/x", "~nextchar:*", "+@all", "--user", "default", "off"]
    server = _server(tmp_path, ended, *rights)
    asyncio.run(_used(f"valkey://keeper:secr3t%2Fx@127.0.0.1:{server.port}/0"))

    async def wrong() -> None:
        store = ValkeyStore(f"valkey://keeper:wrong@127.0.0.1:{server.port}/0", grace_seconds=60)
        with pytest.raises(Unavailable) as refused:
            await load(store, "ann", "one")
        assert refused.value.code == "store_unavailable"
        assert "wrong@" not in refused.value.message
        await store.close()

    asyncio.run(wrong())


def _passed_to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What a connection brings goes to a port of this machine, and back: TLS ends here."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return serve


def test_tls(tmp_path: Path, ended: ExitStack) -> None:
    authority = Authority(tmp_path / "certificates")
    server = _server(tmp_path, ended)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.sign("server"))

    async def work() -> None:
        async with await asyncio.start_server(
            _passed_to(server.port), "127.0.0.1", 0, ssl=context
        ) as listener:
            place = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"
            await _used(f"valkeys://{place}?ssl_ca_certs={authority.certificate}")
            store = ValkeyStore(f"valkeys://{place}", grace_seconds=60)  # nobody vouches for the certificate
            with pytest.raises(Unavailable):
                await load(store, "ann", "one")
            await store.close()

    asyncio.run(work())


def test_sentinels_name_the_master_and_then_the_next(tmp_path: Path, ended: ExitStack) -> None:
    secret = ["--requirepass", "secr3t", "--masterauth", "secr3t", "--repl-diskless-sync-delay", "0"]
    master = _server(tmp_path / "master", ended, *secret)
    follows = ["--replicaof", f"127.0.0.1 {master.port}"]
    replica = _server(tmp_path / "replica", ended, *secret, *follows)
    _wait_for(lambda: _replication(master)["slave0"]["state"] == "online")
    (tmp_path / "sentinel").mkdir()
    sentinel = Sentinel(tmp_path / "sentinel")
    sentinel.watch(master, "secr3t")
    ended.callback(sentinel.kill)
    with sentinel.client as told:
        _wait_for(lambda: told.sentinel_slaves("kept")[0]["master-link-status"] == "ok")
    url = f"valkey+sentinel://:secr3t@127.0.0.1:1,127.0.0.1:{sentinel.port}/kept/0"
    asyncio.run(_used(url))

    async def failed_over() -> None:
        store = ValkeyStore(url, grace_seconds=60)
        assert await _created(store)
        with redis.Redis(port=replica.port, password="secr3t") as second:
            _wait_for(lambda: second.exists("nextchar:{=a{n}n}:session:one"))
        master.kill()
        assert await _answered(store, lambda: load(store, _RECORD.owner, "one")) == _RECORD
        new = replace(_RECORD, revision=2)
        assert await _answered(store, lambda: store.replace(new, revision=1))
        await store.close()

    asyncio.run(failed_over())


def test_a_sentinel_that_is_gone_is_not_asked_again_and_again_before_the_next() -> None:
    num_asked = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        nonlocal num_asked
        num_asked += 1
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            store = ValkeyStore(f"valkey+sentinel://127.0.0.1:{port}/kept", grace_seconds=60)
            with pytest.raises(Unavailable):
                await load(store, "ann", "one")
            await store.close()

    asyncio.run(work())
    assert 0 < num_asked <= 4  # the call and the sentinel may each be tried a second time


def test_a_cluster_has_every_key_of_a_call_in_one_slot(tmp_path: Path, ended: ExitStack) -> None:
    # By default the port of its bus is ten thousand higher, where any socket may be.
    server = _server(tmp_path, ended, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with server.client as client:
        _wait_for(client.ping)
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        _wait_for(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    asyncio.run(_used(server.url))  # a server of a cluster refuses a script whose keys are in two slots


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("valkeyx://h", "must begin with one of valkey"),
        ("valkey+sentinel://h:1", "must end with the service"),
        ("valkey+sentinel:///kept", "is not the host of a sentinel"),
    ],
)
def test_an_address_that_is_none_is_said(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ValkeyStore(url, grace_seconds=60)
