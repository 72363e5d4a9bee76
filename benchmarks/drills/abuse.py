"""Abuses a server with bad clients: each must end, and leave no lane, request or descriptor behind.

A server's descriptors are counted to the last one. So each API has answered before the first count, and the
server opens no more of its own.
"""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from benchmarks.drills.process import ServerProcess, settles
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a client that crashed
_SMALL_BUFFER_BYTES = 4096
_NUM_LOOKS = 5  # at descriptors: one that is about to be closed is not counted as there before
_LOOK_SECONDS = 0.1
_LONG_SECONDS = 120
_NUM_UNREAD = 8000  # characters, with their logprobs: megabytes, where a stream's window is 64 KiB
_SMALL_WINDOW = [("grpc.http2.bdp_probe", 0)]  # else it grows to megabytes while the client does not read


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """Reports one kind of client: how many, and the seconds until all they held was released (None if not).

    `as_meant`: clients that stay were all connected at once, and what had to end meanwhile did.
    """

    what: str
    num_clients: int
    files_before: int
    files_at_most: int
    files_after: int
    left_seconds: float | None
    answered_meanwhile: bool
    as_meant: bool

    @property
    def good(self) -> bool:
        return self.left_seconds is not None and self.answered_meanwhile and self.as_meant


@dataclass(slots=True)
class _Watch:
    """Watches a server while one kind of client is connected."""

    server: ServerProcess
    as_meant: bool = True
    most: int = field(default=0)
    before: int = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.least()

    def least(self) -> int:
        """Returns the descriptors without short-lived ones, such as those of this very look."""
        looks = []
        for _ in range(_NUM_LOOKS):
            looks.append(self.server.num_files)
            time.sleep(_LOOK_SECONDS)
        return min(looks)

    def all_there(self, num: int) -> None:
        """Waits until the server itself, not only its system, holds so many connections at once."""
        self.expect(settles(lambda: self.look() >= self.before + num, _LONG_SECONDS))

    def look(self) -> int:
        num_files = self.server.num_files
        self.most = max(self.most, num_files)
        return num_files

    def expect(self, came: bool) -> None:
        self.as_meant = self.as_meant and came


def _connect(server: ServerProcess, port: int | None = None) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port if port is None else port))
    return connection


def _stream(model: str, num_chars: int) -> bytes:
    fields = {
        "model": model,
        "prompt": "",
        "max_tokens": num_chars,
        "seed": 1,
        "stream": True,
        "logprobs": 20,
    }
    body = json.dumps(fields).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _answers(server: ServerProcess) -> bool:
    with _connect(server) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 200")


@contextmanager
def _counted(server: ServerProcess, what: str, num: int, reports: list[AbuseReport]) -> Iterator[_Watch]:
    """Runs clients inside; afterwards, waits until all that they held is released, and reports."""
    assert settles(lambda: server.num_at_work == 0, _LONG_SECONDS)
    watch = _Watch(server)
    yield watch
    watch.look()
    answered, started = _answers(server), time.monotonic()
    gone = settles(lambda: server.num_files <= watch.before and server.num_at_work == 0, _LONG_SECONDS)
    left = time.monotonic() - started if gone else None
    files = watch.before, watch.most, watch.least()
    reports.append(AbuseReport(what, num, *files, left, answered, watch.as_meant))


def abuse(
    server: ServerProcess, model: str, *, num_idle: int, num_vanishing: int, num_slow_bytes: int = 5
) -> list[AbuseReport]:
    """Runs all kinds of clients, one after the other; those of the first four never leave by themselves.

    The server's timeout for idle connections must be long enough for all of them to connect.
    """
    reports: list[AbuseReport] = []
    held: list[socket.socket] = []  # they stay open here; the server must close them
    _warm_up(server, model)
    for api, port in (("", server.port), ("gRPC ", server.grpc_port)):
        what = f"idle {api}connections that never send anything"
        with _counted(server, what, num_idle, reports) as watch:
            held += [_connect(server, port) for _ in range(num_idle)]
            watch.all_there(num_idle)
    with _counted(server, "half a request, then silence", 2, reports) as watch:
        for said in (b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Le", _stream(model, 10)[:-5]):
            held.append(_connect(server))
            held[-1].sendall(said)
        watch.all_there(2)
    with _counted(server, "a reader of one byte per second", 1, reports):
        held.append(_connect(server))
        held[-1].sendall(_stream(model, 16_384))
        for _ in range(num_slow_bytes):
            held[-1].recv(1)
            time.sleep(1)
    with _counted(server, "gRPC client that stops reading", 1, reports) as watch:
        _stop_reading(server, model, watch)
    for what, option in (("clients that vanish mid-stream", None), ("clients that crash mid-stream", _RESET)):
        with _counted(server, what, num_vanishing, reports):
            _vanish(server, _stream(model, 2000), num_vanishing, option)
    for connection in held:
        connection.close()
    return reports


def _warm_up(server: ServerProcess, model: str) -> None:
    _answers(server)
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        nextchar_pb2_grpc.NextcharStub(channel).Next(pb.NextRequest(model=model, input="a"))


def _stop_reading(server: ServerProcess, model: str, watch: _Watch) -> None:
    """Reads a long stream's first message and no other: its lane ends while its call is still open."""
    request = pb.CompletionRequest(model=model, prompt="", max_tokens=_NUM_UNREAD, seed=1, logprobs=20)
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", _SMALL_WINDOW) as channel:
        call = nextchar_pb2_grpc.NextcharStub(channel).Complete(request)
        next(call)
        watch.expect(settles(lambda: server.metric("nextchar_lanes_running") == 0, _LONG_SECONDS))
        watch.expect(call.is_active() and server.num_at_work == 1)
        watch.look()


def _vanish(server: ServerProcess, content: bytes, num_clients: int, option: bytes | None) -> None:
    """Connects clients that leave after the first bytes, or, most of them, before."""
    connections = [_connect(server) for _ in range(num_clients)]
    for connection in connections:
        if option is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        connection.sendall(content)
    for connection in connections[: num_clients // 10]:
        connection.recv(20)
    for connection in connections:
        connection.close()
