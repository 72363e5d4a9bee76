"""Connections are counted from the moment they are accepted, and a process out of descriptors rests."""

import asyncio
import errno
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.certificates import Authority
from support.live_server import live_server
from support.waiting import until

from nextchar.rest.http import acceptor
from nextchar.rest.http.acceptor import Acceptor

_SECONDS = 30
_HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00"


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def half_hellos(port: int, num: int) -> list[socket.socket]:
    made = [socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) for _ in range(num)]
    for connection in made:
        connection.sendall(_HALF_HELLO)
        connection.setblocking(False)
    return made


def test_handshakes_are_under_the_limit_of_connections(models: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server")
    context = ssl.create_default_context(cafile=authority.certificate)
    tls = {"tls_certificate_file": certificate, "tls_key_file": key}
    with live_server(models, max_connections=5, **tls) as server:
        url = server.url.replace("http:", "https:") + "/livez"
        halves = half_hellos(server.app.http_port, 20)
        until(lambda: sum(map(has_ended, halves)) == 15)
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=context)
        for connection in halves:
            connection.close()
        until(lambda: serves(url, context))


def serves(url: str, context: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=context).status_code == 200
    except httpx.TransportError:
        return False


def test_a_handshake_has_as_long_as_a_head(models: Path, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).sign("server")
    tls = {"tls_certificate_file": certificate, "tls_key_file": key}
    with live_server(models, receive_timeout_seconds=0.3, **tls) as server:
        halves = half_hellos(server.app.http_port, 20)
        until(lambda: all(map(has_ended, halves)), seconds=20)  # by themselves they have a minute
        for connection in halves:
            connection.close()


class ShortOfDescriptors(socket.socket):
    """A listening socket of a process that cannot open a file a few times."""

    num_failures, num_tries = 3, 0

    def accept(self) -> Any:
        self.num_tries += 1
        if self.num_tries <= self.num_failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Greeter(asyncio.Protocol):
    def __init__(self) -> None:
        self.on_lost = lambda _: None

    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.on_lost(self)


def accepts_from(listener: socket.socket) -> Acceptor:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return Acceptor(
        listener,
        Greeter,  # type: ignore[arg-type]
        max_connections=1,
        tls=None,
        handshake_seconds=1.0,
    )


def test_while_it_rests_it_does_not_try() -> None:
    async def turn() -> int:
        listener = ShortOfDescriptors()
        accepting = accepts_from(listener)
        with socket.create_connection(listener.getsockname()):
            for _ in range(100):
                await asyncio.sleep(0)
        accepting.close()
        await accepting.wait_closed()
        return listener.num_tries

    assert asyncio.run(turn()) == 1


def test_out_of_descriptors_it_rests_before_it_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "_REST_SECONDS", 0.01)

    async def accept() -> tuple[bytes, int, int]:
        listener = ShortOfDescriptors()
        accepting = accepts_from(listener)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        accepting.close()
        await accepting.wait_closed()
        # The last one finds nobody else waiting.
        return said, listener.num_tries, accepting.num_connections

    said, num_tries, num_left = asyncio.run(accept())
    assert (said, num_left) == (b"hello", 0)
    assert num_tries == ShortOfDescriptors.num_failures + 2
    assert caplog.text.count("no connection can be accepted") == ShortOfDescriptors.num_failures
