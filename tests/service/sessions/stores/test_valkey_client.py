"""What an address means: who is asked, with which name and password, over TLS or not, for how long."""

import asyncio
import socket
from typing import Any

import pytest
from redis.asyncio import SSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection

from nextchar.service.sessions.stores.valkey import _keys
from nextchar.service.sessions.stores.valkey_client import SCHEMES, close_client, valkey_client

_OWN = ("valkey", "redis")


def _of_master(url: str) -> dict[str, Any]:
    """Returns the options of the connections to the server that has the sessions."""
    found: dict[str, Any] = valkey_client(url).connection_pool.connection_kwargs
    return found


def _of_sentinels(url: str) -> list[dict[str, Any]]:
    manager = valkey_client(url).connection_pool.sentinel_manager
    return [client.connection_pool.connection_kwargs for client in manager.sentinels]


def test_every_scheme_is_ours_or_that_of_redis_with_or_without_tls_and_sentinels() -> None:
    assert sorted(SCHEMES) == sorted(
        f"{name}{tls}{kind}" for name in _OWN for tls in ("", "s") for kind in ("", "+sentinel")
    )


@pytest.mark.parametrize("name", _OWN)
def test_one_server(name: str) -> None:
    found = _of_master(f"{name}://ann:p%2Fw@there:77/3?socket_timeout=5")
    wanted = {"host": "there", "port": 77, "db": 3, "username": "ann", "password": "p/w"}
    assert found | wanted == found
    assert found["socket_timeout"] == 5.0


@pytest.mark.parametrize("name", _OWN)
@pytest.mark.parametrize(("tls", "secure"), [("", False), ("s", True)])
def test_the_s_means_tls(name: str, tls: str, secure: bool) -> None:
    one = valkey_client(f"{name}{tls}://h").connection_pool
    assert issubclass(one.connection_class, SSLConnection) is secure
    many = valkey_client(f"{name}{tls}+sentinel://h/kept").connection_pool
    assert issubclass(many.connection_class, SSLConnection) is secure
    (sentinel,) = many.sentinel_manager.sentinels
    assert issubclass(sentinel.connection_pool.connection_class, SSLConnection) is secure


def test_each_part_of_an_address_of_sentinels_goes_where_it_belongs() -> None:
    url = (
        "valkey+sentinel://ann:p%40w@one:1,two,[::1]:3/kept/4"
        "?socket_timeout=7&sentinel_username=watch&sentinel_password=s3n&sentinel_socket_timeout=9"
    )
    client = valkey_client(url)
    assert client.connection_pool.service_name == "kept"
    master, sentinels = _of_master(url), _of_sentinels(url)
    wanted = {"db": 4, "username": "ann", "password": "p@w", "socket_timeout": 7.0}
    assert master | wanted == master
    assert [(s["host"], s["port"]) for s in sentinels] == [("one", 1), ("two", 26379), ("::1", 3)]
    for found in sentinels:
        wanted = {"username": "watch", "password": "s3n", "socket_timeout": 9.0}
        assert found | wanted == found
        assert found.get("db", 0) in (0, None)


@pytest.mark.parametrize(
    ("credentials", "user", "password"),
    [
        ("", None, None),
        ("ann@", "ann", None),
        (":pw@", None, "pw"),
        ("ann:p:w@", "ann", "p:w"),
        ("a@b:c@", "a@b", "c"),
    ],
)
def test_a_name_and_a_password_are_the_masters_alone(
    credentials: str, user: str | None, password: str | None
) -> None:
    url = f"valkey+sentinel://{credentials}h/kept"
    found, (sentinel,) = _of_master(url), _of_sentinels(url)
    assert (found.get("username"), found.get("password")) == (user, password)
    assert (sentinel.get("username"), sentinel.get("password")) == (None, None)
    assert found.get("db", 0) == 0


def test_the_options_of_all_are_those_of_the_sentinels_too_unless_they_have_their_own() -> None:
    url = "valkeys+sentinel://h/kept?ssl_ca_certs=/ca&ssl_cert_reqs=none&sentinel_ssl_ca_certs=/their"
    found, (sentinel,) = _of_master(url), _of_sentinels(url)
    assert (found["ssl_ca_certs"], found["ssl_cert_reqs"]) == ("/ca", "none")
    assert (sentinel["ssl_ca_certs"], sentinel["ssl_cert_reqs"]) == ("/their", "none")


@pytest.mark.parametrize("url", ["valkey://h", "valkeys://h", "redis+sentinel://h/kept"])
def test_nobody_is_waited_for_longer_than_two_seconds_unless_the_address_says_so(url: str) -> None:
    options = [_of_master(url), *(_of_sentinels(url) if "sentinel" in url else [])]
    for found in options:
        assert (found["socket_timeout"], found["socket_connect_timeout"]) == (2.0, 2.0)
        assert found["retry"].get_retries() == 1
        assert isinstance(found["retry"]._backoff, NoBackoff)
        assert NoConnection in found["retry"]._supported_errors


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://h", "the address begins with 'http', it must begin with one of valkey, "),
        (f"{'x' * 40}://h", f"the address begins with {'x' * 30!r}, it must begin with one of"),
        ("valkey+sentinels://h/kept", "the address begins with 'valkey\\+sentinels'"),
        ("valkey+sentinel://h", "the address of sentinels must end with the service: /service or /service/0"),
        ("valkey+sentinel://h//", "must end with the service"),
        ("valkey+sentinel://a,,b/kept", "'' is not the host of a sentinel"),
    ],
)
def test_what_is_no_address_is_told(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        valkey_client(url)


def test_closing_ends_the_connections_to_sentinels_too() -> None:
    async def work(ended: asyncio.Event) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                if line.startswith(b"*"):
                    writer.write(b"*0\r\n")  # no master is watched
            ended.set()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET) as listener:
            port = listener.sockets[0].getsockname()[1]
            client = valkey_client(f"valkey+sentinel://127.0.0.1:{port}/kept")
            with pytest.raises(NoConnection):
                await client.ping()
            assert not ended.is_set()
            await close_client(client)
            await asyncio.wait_for(ended.wait(), 30)

    async def run() -> None:
        await work(asyncio.Event())

    asyncio.run(run())


def test_no_two_owners_and_sessions_have_one_key() -> None:
    """An owner may have any printable name, braces and colons among them; an id of a session may not."""
    owners = ["a", "a}:", "a}:session:b", "a}:live", "=a", "{=a}", "b}:nextchar:{=a"]
    ids = ["b", "live", "sizes", "session", "session.b", "b.c"]
    sessions = {_keys(owner, session_id)[0] for owner in owners for session_id in ids}
    books = {key for owner in owners for key in _keys(owner, "")}
    assert len(sessions | books) == len(owners) * (len(ids) + len(_keys("a", "")))
