"""Clients as they should not be: each must have an end, and leave no lane, request or descriptor behind."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.drills.process import ServerProcess, settles

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a client that crashed
_SMALL_BUFFER_BYTES = 4096
_SLACK_FILES = 3


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """One kind of client: how many, how long until nothing of them was left; None if something was."""

    what: str
    num_clients: int
    files_before: int
    files_at_most: int
    files_after: int
    left_seconds: float | None
    answered_meanwhile: bool


def _connect(server: ServerProcess) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port))
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
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _answers(server: ServerProcess) -> bool:
    with _connect(server) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 200")


@contextmanager
def _counted(server: ServerProcess, what: str, num: int, reports: list[AbuseReport]) -> Iterator[None]:
    """The clients live inside; afterwards, wait until nothing of them is left."""
    assert settles(lambda: server.num_at_work == 0, 60)
    before = server.num_files
    yield
    most, answered, started = server.num_files, _answers(server), time.monotonic()
    gone = settles(lambda: server.num_files <= before + _SLACK_FILES and server.num_at_work == 0, 120)
    left = time.monotonic() - started if gone else None
    reports.append(AbuseReport(what, num, before, most, server.num_files, left, answered))


def abuse(
    server: ServerProcess, model: str, *, num_idle: int, num_vanishing: int, num_slow_bytes: int = 5
) -> list[AbuseReport]:
    """All kinds, one after the other. The clients of the first three never leave by themselves."""
    reports: list[AbuseReport] = []
    held: list[socket.socket] = []  # they stay; the server lets go of them all the same
    with _counted(server, "idle connections that never say anything", num_idle, reports):
        held += [_connect(server) for _ in range(num_idle)]
    with _counted(server, "half a request, then silence", 2, reports):
        for said in (b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Le", _stream(model, 10)[:-5]):
            held.append(_connect(server))
            held[-1].sendall(said)
    with _counted(server, "a reader of a byte a second", 1, reports):
        held.append(_connect(server))
        held[-1].sendall(_stream(model, 16_384))
        for _ in range(num_slow_bytes):
            held[-1].recv(1)
            time.sleep(1)
    for what, option in (("clients that vanish mid-stream", None), ("clients that crash mid-stream", _RESET)):
        with _counted(server, what, num_vanishing, reports):
            _vanish(server, _stream(model, 2000), num_vanishing, option)
    for connection in held:
        connection.close()
    return reports


def _vanish(server: ServerProcess, content: bytes, num_clients: int, option: bytes | None) -> None:
    """Clients that leave when the first bytes are there, or a moment later where they are not."""
    connections = [_connect(server) for _ in range(num_clients)]
    for connection in connections:
        if option is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        connection.sendall(content)
    for connection in connections[: num_clients // 10]:
        connection.recv(20)
    for connection in connections:
        connection.close()
