"""Generates load over gRPC: HTTP/2 frames (RFC 9113) written by hand, one call after the other."""

import struct
from collections.abc import Callable

from benchmarks.clients.http import Client, LoadStats

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING = 0, 1, 3, 4, 6
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535  # also the limit of a request: this client does not wait for window updates
_LARGEST_FRAME = 16_384


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """Encodes a header, literal and not indexed (RFC 7541, 6.2.2); name and value below 127 bytes."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


class GrpcClient(Client):
    """Calls one method repeatedly; a call ends with the headers that end its stream."""

    def __init__(self, port: int, path: str, next_message: Callable[[], bytes], stats: LoadStats) -> None:
        super().__init__(self._request, stats)
        self._next_message = next_message
        headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": f"127.0.0.1:{port}"}
        headers |= {"content-type": "application/grpc", "te": "trailers"}
        self._headers = b"".join(_literal(*header) for header in headers.items())
        self._stream = -1
        self._buffer = b""
        self._num_messages = 0

    def greet(self) -> None:
        window = struct.pack(">HI", 4, _LARGEST_WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        grow = struct.pack(">I", _LARGEST_WINDOW - _FIRST_WINDOW)
        self.transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, window) + _frame(8, 0, 0, grow))

    def _request(self) -> bytes:
        self._stream += 2
        message = self._next_message()
        body = struct.pack(">BI", 0, len(message)) + message
        head = _frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
        frames = [body[at : at + _LARGEST_FRAME] for at in range(0, len(body), _LARGEST_FRAME)]
        flags = [0] * (len(frames) - 1) + [_END_STREAM]
        data = (_frame(_DATA, f, self._stream, part) for f, part in zip(flags, frames, strict=True))
        return head + b"".join(data)

    def ended(self, data: bytes) -> bool:
        buffer, at, ended = self._buffer + data, 0, False
        while len(buffer) - at >= 9:
            size, kind, flags = int.from_bytes(buffer[at : at + 3], "big"), buffer[at + 3], buffer[at + 4]
            if len(buffer) - at < 9 + size:
                break
            ended |= self._take(kind, flags, buffer[at + 9 : at + 9 + size])
            at += 9 + size
        self._buffer = buffer[at:]
        return ended

    def _take(self, kind: int, flags: int, payload: bytes) -> bool:
        if kind == _SETTINGS and not flags & _ACK:
            self.transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self.transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _DATA:
            self._num_messages += 1
        elif kind == _RESET or (kind == _HEADERS and flags & _END_STREAM):
            if not self._num_messages:
                raise AssertionError("a call ended with an error, without a message")
            self._num_messages = 0
            return True
        return False
