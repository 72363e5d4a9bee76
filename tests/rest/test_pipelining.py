"""Requests that come before earlier ones are answered: all are answered, in order, and few are held."""

import asyncio
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from support.live_server import LiveServer
from support.waiting import until
from uvicorn.server import ServerState

from nextchar.rest.http.pipelining import MAX_WAITING_REQUESTS, PipeliningProtocol

_GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
_SECONDS = 30
_MAX_TURNS = 10_000
_MORE_BEHIND_CHUNKS = 3  # tiny requests that one piece may hold


class Transport(asyncio.Transport):
    """A connection whose client's bytes are handed over by the test, unless reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.paused, self.closed = b"", False, False

    def write(self, data: object) -> None:
        self.written += bytes(data)  # type: ignore[call-overload]

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Server:
    """One connection to an application that answers with the path and the body, once it is let."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.num_begun = self.num_left = 0
        config = uvicorn.Config(self._app, interface="asgi3", lifespan="off", log_config=None)  # type: ignore[arg-type]
        config.load()
        self.protocol = PipeliningProtocol(
            config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop()
        )
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.num_begun += 1
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        leaving = asyncio.ensure_future(receive())  # as whoever looks whether the client is still there
        letting = asyncio.ensure_future(self.may_answer.wait())
        await asyncio.wait({leaving, letting}, return_when=asyncio.FIRST_COMPLETED)
        self.num_left += leaving.done() and leaving.result()["type"] == "http.disconnect"
        said = scope["path"].encode() + b"=" + body + b"\n"
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(said))],
            }
        )
        await send({"type": "http.response.body", "body": said})
        leaving.cancel()
        letting.cancel()

    async def settle(self) -> None:
        """Lets the application run until it has nothing to do."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def until(self, observed: Callable[[], bool]) -> None:
        """Lets the application run until something holds; never do more requests wait than may."""
        for _ in range(_MAX_TURNS):
            await self.settle()
            assert len(self.protocol.pipeline) <= MAX_WAITING_REQUESTS + _MORE_BEHIND_CHUNKS
            if observed():
                return
        raise AssertionError(f"it has not happened in {_MAX_TURNS} turns")

    def bodies(self) -> bytes:
        parts = self.transport.written.split(b"HTTP/1.1 200")
        return b"".join(part.partition(b"\r\n\r\n")[2] for part in parts)

    def answers(self) -> list[bytes]:
        return [line for line in self.transport.written.split(b"\n") if line.startswith(b"/")]


def in_pieces(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        size = next(sizes)
        yield data[place : place + size]
        place += size


def test_of_a_flood_only_a_few_wait_and_reading_stops() -> None:
    async def flood() -> None:
        server = Server()
        flood = b"".join(_GET % number for number in range(2000))
        server.protocol.data_received(flood)
        await server.settle()
        assert (server.num_begun, len(server.protocol.pipeline)) == (1, MAX_WAITING_REQUESTS)
        assert server.transport.paused
        server.may_answer.set()
        await server.until(lambda: len(server.answers()) >= 2000)
        assert server.answers() == [b"/%d=" % number for number in range(2000)]
        assert not server.transport.paused

    asyncio.run(flood())


def test_what_a_paused_transport_still_hands_over_is_held_too() -> None:
    async def more() -> None:
        server = Server()
        for number in range(100):
            server.protocol.data_received(_GET % number)
        await server.settle()
        assert len(server.protocol.pipeline) == MAX_WAITING_REQUESTS
        server.may_answer.set()
        await server.until(lambda: len(server.answers()) >= 100)
        assert server.answers() == [b"/%d=" % number for number in range(100)]

    asyncio.run(more())


def requests() -> tuple[bytes, list[bytes]]:
    """Requests of all kinds, with blank lines in their bodies; and their answers."""
    bodies = [b"", b"abc", b"\r\n\r\n" * 40, b"GET / HTTP/1.1\r\n\r\n" * 9, b"x" * 3000]
    said, answers = b"", []
    for number, body in enumerate(bodies * 2):
        said += _GET % number
        head = b"POST /p HTTP/1.1\r\nHost: x\r\n"
        said += head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
        said += b"\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        answers += [b"/%d=" % number, b"/p=" + body, b"/p=" + body]
    return said, answers


@pytest.mark.parametrize("seed", range(20))
def test_however_the_bytes_are_cut_the_answers_are_the_same(seed: int) -> None:
    said, answers = requests()
    draw = random.Random(seed)
    most = draw.choice([1, 3, 50, 2000, 100_000])

    async def all_of_it() -> bytes:
        server = Server()
        server.may_answer.set()
        for piece in in_pieces(said, iter(lambda: draw.randint(1, most), 0)):
            server.protocol.data_received(piece)
            if draw.random() < 0.5:
                await server.settle()
        await server.until(lambda: len(server.bodies()) >= len(expected))
        return server.bodies()

    expected = b"".join(answer + b"\n" for answer in answers)
    assert asyncio.run(all_of_it()) == expected


def test_a_client_that_leaves_ends_the_request_that_runs_and_begins_no_other() -> None:
    async def leave() -> None:
        server = Server()
        server.protocol.data_received(b"".join(_GET % number for number in range(10)))
        await server.settle()
        server.transport.close()
        server.protocol.connection_lost(None)
        await server.settle()
        assert (server.num_begun, server.num_left) == (1, 1)

    asyncio.run(leave())


def test_a_thousand_requests_at_once_are_answered_over_a_socket(server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", server.app.http_port), timeout=_SECONDS) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 999)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 1000
    until(server.is_idle)
