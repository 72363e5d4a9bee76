"""Generates load over HTTP: clients that keep one request each in flight, on raw sockets.

The cost of a client library would be charged to the server, which shares its cores with it; so requests are
bytes made once, and responses are only searched for their end. Clients run on one event loop in the
benchmark's own process; the server is another process.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LONGEST_SECONDS = 120


@dataclass
class LoadStats:
    """Counts the responses of a load: the seconds of each, to its first bytes, and between its parts."""

    num_responses: int = 0
    seconds: list[float] = field(default_factory=list)
    first_seconds: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """Sends requests over one connection, each after the end of the last response, until it is stopped."""

    def __init__(self, next_request: Callable[[], bytes], stats: LoadStats) -> None:
        self._next_request = next_request
        self.stats = stats
        self.stopping = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.greet()
        self._send()

    def greet(self) -> None:
        """Writes what precedes the first request."""

    def _send(self) -> None:
        self._sent, self._first = time.perf_counter(), True
        self.transport.write(self._next_request())

    def data_received(self, data: bytes) -> None:
        if self._first and self.begun(data):
            self._first = False
            self.stats.first_seconds.append(time.perf_counter() - self._sent)
        if not self.ended(data):
            return
        self.stats.seconds.append(time.perf_counter() - self._sent)
        self.stats.num_responses += 1
        if self.stopping:
            self.transport.close()
        else:
            self._send()

    def begun(self, data: bytes) -> bool:
        """Returns whether these bytes, the first of a response, have some of what was asked for."""
        return bool(data)

    def ended(self, data: bytes) -> bool:
        """Returns whether these bytes end a response."""
        raise NotImplementedError

    def connection_lost(self, error: Exception | None) -> None:
        if self.closed.done():
            return
        if self.stopping:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(error or ConnectionError("the server closed the connection"))


MakeClient = Callable[[LoadStats], Client]


class HttpClient(Client):
    """Speaks HTTP/1.1: a response ends with its last chunk, or after as many bytes as it declares."""

    _left = 0

    def begun(self, data: bytes) -> bool:
        """The head of a stream comes before there is anything to tell."""
        return b"text/event-stream" not in data or b"data: " in data

    def ended(self, data: bytes) -> bool:
        if self._left:
            self._left -= len(data)
            return self._left == 0
        head, blank, body = data.partition(b"\r\n\r\n")
        if data.startswith(b"HTTP/1.1 ") and blank:
            if not data.startswith(b"HTTP/1.1 200"):
                raise AssertionError(data.decode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if length:
                self._left = int(length) - len(body)
                return self._left == 0
        return data.endswith(b"0\r\n\r\n")


def http_post(port: int, path: str, body: bytes) -> bytes:
    """Returns a request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def run_load(
    make_client: MakeClient,
    *,
    port: int | Sequence[int],
    num_clients: int,
    warm: float,
    seconds: float,
    min_responses: int = 0,
    beside: Sequence[MakeClient] = (),
) -> tuple[float, LoadStats]:
    """Runs a load; returns responses per second after a warm-up, and the counts of that time.

    Runs on until there are `min_responses`, for at most two minutes. Clients `beside` are not counted. Of
    several ports each next client takes the next one, as behind the best of proxies.
    """
    ports = (port,) if isinstance(port, int) else tuple(port)
    load = _Load(ports, warm, seconds, min_responses)
    return uvloop.run(load.run([make_client] * num_clients, beside))


@dataclass(frozen=True)
class _Load:
    ports: tuple[int, ...]
    warm: float
    seconds: float
    min_responses: int

    async def run(
        self, counted: Sequence[MakeClient], beside: Sequence[MakeClient]
    ) -> tuple[float, LoadStats]:
        others = [await self._connect(make, k, len(beside)) for k, make in enumerate(beside)]
        clients = [await self._connect(make, k, len(counted)) for k, make in enumerate(counted)]
        await asyncio.sleep(self.warm / 2)
        seen, started = LoadStats(), time.perf_counter()
        for client in clients:
            client.stats = seen
        await asyncio.sleep(self.seconds)
        while seen.num_responses < self.min_responses and time.perf_counter() - started < _LONGEST_SECONDS:
            await asyncio.sleep(0.01)
        count, elapsed = seen.num_responses, time.perf_counter() - started
        for client in (*clients, *others):
            client.stopping = True
        await asyncio.wait_for(asyncio.gather(*(c.closed for c in (*clients, *others))), _LONGEST_SECONDS)
        return count / elapsed, seen

    async def _connect(self, make: MakeClient, number: int, count: int) -> Client:
        client, port = make(LoadStats()), self.ports[number % len(self.ports)]
        await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
        await asyncio.sleep(self.warm / 2 / count)  # so that responses do not all end at once
        return client
