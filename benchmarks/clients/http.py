"""A light load generator: clients that keep one request each in flight, on raw sockets.

What a client library costs would be charged to the server, which has two cores to share with it; so
requests are bytes made once, and answers are only searched for their end. Clients run on one event loop
in the benchmark's own process; the server is another process.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LONGEST_SECONDS = 120


@dataclass
class Tally:
    """What a load has seen: answers, the seconds each took, to its first bytes, and between its parts."""

    num_answers: int = 0
    seconds: list[float] = field(default_factory=list)
    first_seconds: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection: sends a request, waits for its end, sends the next, until told to stop."""

    def __init__(self, next_request: Callable[[], bytes], tally: Tally) -> None:
        self._next_request = next_request
        self.tally = tally
        self.stopping = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.greet()
        self._send()

    def greet(self) -> None:
        """What goes before the first request."""

    def _send(self) -> None:
        self._sent, self._first = time.perf_counter(), True
        self.transport.write(self._next_request())

    def data_received(self, data: bytes) -> None:
        if self._first:
            self._first = False
            self.tally.first_seconds.append(time.perf_counter() - self._sent)
        if not self.ended(data):
            return
        self.tally.seconds.append(time.perf_counter() - self._sent)
        self.tally.num_answers += 1
        if self.stopping:
            self.transport.close()
        else:
            self._send()

    def ended(self, data: bytes) -> bool:
        """Whether these bytes end an answer."""
        raise NotImplementedError

    def connection_lost(self, error: Exception | None) -> None:
        if self.closed.done():
            return
        if self.stopping:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(error or ConnectionError("the server closed the connection"))


MakeClient = Callable[[Tally], Client]


class HttpClient(Client):
    """HTTP/1.1: an answer ends with the last chunk, or after as many bytes as it declares."""

    _left = 0

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
    """A request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def run_load(
    make_client: MakeClient,
    *,
    port: int,
    num_clients: int,
    warm: float,
    seconds: float,
    min_answers: int = 0,
    beside: Sequence[MakeClient] = (),
) -> tuple[float, Tally]:
    """Answers a second over some seconds after a warm-up, and what was seen in them.

    Goes on until there are `min_answers`, for two minutes at most. Clients `beside` are not counted.
    """
    load = _Load(port, warm, seconds, min_answers)
    return uvloop.run(load.run([make_client] * num_clients, beside))


@dataclass(frozen=True)
class _Load:
    port: int
    warm: float
    seconds: float
    min_answers: int

    async def run(self, counted: Sequence[MakeClient], beside: Sequence[MakeClient]) -> tuple[float, Tally]:
        others = [await self._connect(make, len(beside)) for make in beside]
        clients = [await self._connect(make, len(counted)) for make in counted]
        await asyncio.sleep(self.warm / 2)
        seen, started = Tally(), time.perf_counter()
        for client in clients:
            client.tally = seen
        await asyncio.sleep(self.seconds)
        while seen.num_answers < self.min_answers and time.perf_counter() - started < _LONGEST_SECONDS:
            await asyncio.sleep(0.01)
        count, elapsed = seen.num_answers, time.perf_counter() - started
        for client in (*clients, *others):
            client.stopping = True
        await asyncio.wait_for(asyncio.gather(*(c.closed for c in (*clients, *others))), _LONGEST_SECONDS)
        return count / elapsed, seen

    async def _connect(self, make: MakeClient, count: int) -> Client:
        client = make(Tally())
        await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", self.port)
        await asyncio.sleep(self.warm / 2 / count)  # so that answers do not end all at once
        return client
