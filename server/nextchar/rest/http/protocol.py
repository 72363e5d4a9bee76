"""Bounds HTTP connections where uvicorn does not: their number, the size and the time of a request's head,
and how slowly a client may read.

uvicorn limits time only between an answer and the next request. A connection that sends nothing, or sends its
head one byte per minute, or never reads, would stay open for ever.

The extended classes of uvicorn are private; tests/rest/test_uvicorn_contract.py names each part that is used.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from nextchar.rest.http.answer_framing import without_chunks
from nextchar.rest.http.half_close import HalfClosingProtocol
from nextchar.rest.http.head_rules import HeadRefused, check_head, origin_form
from nextchar.schemas.limits import MAX_HEAD_BYTES

_HEADER_BYTES = 32  # the overhead of a header besides its text
_MIN_BYTES_PER_SECOND = 512  # that a client must read while the server waits for it


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Holds the limits: `receive_timeout_seconds` is for a request's head, `send_timeout_seconds` for a
    client that does not read.
    """

    max_connections: int = 8192
    receive_timeout_seconds: float = 20.0
    send_timeout_seconds: float = 30.0
    keep_alive_timeout_seconds: float = 30.0


class HeadTooLarge(Exception):
    """Stops the parser; `send_400_response`, which uvicorn then calls, writes the answer."""


class BoundedProtocol(HalfClosingProtocol):
    """Enforces the limits of one connection; `check` must be called about once per second.

    `on_lost` is called when the connection has ended, `on_refused` with the status of a refusal that comes
    before any request.
    """

    def __init__(self, limits: ConnectionLimits, **parts: Any) -> None:
        super().__init__(**parts)
        self.on_lost: Callable[[BoundedProtocol], None] = lambda _: None
        self.on_refused: Callable[[int], None] = lambda _status: None
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._fault: HeadRefused | None = None  # why a head that could be parsed is refused
        self._unread: tuple[float, int] | None = None  # since when bytes have waited, and how many there were
        self._head_bytes = 0
        self._num_unparsed = 0  # bytes since the parser last had a whole head or a part of a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self._refused = True
            most = self._limits.max_connections
            message = f"the server has {most} connections, its limit (max_connections); retry later"
            self._refuse(503, message, "overloaded_error", "too_many_connections", b"retry-after: 1\r\n")
            return
        self._await_head()

    def parse(self, piece: bytes) -> None:
        if self._refused:
            return
        self._num_unparsed += len(piece)
        super().parse(piece)
        between = self.cycle is None or self.cycle.response_complete
        if self._num_unparsed > MAX_HEAD_BYTES and not self._refused:
            self._end_unparsed(between)
        if between and self._head_timer is None and not self.transport.is_closing():
            self._await_head()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + _HEADER_BYTES
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._num_unparsed = 0
        self._stop_waiting()
        version = self.parser.get_http_version()
        try:
            check_head(self.parser.get_method().decode(), version, self.headers)
        except HeadRefused as fault:
            self._fault = fault
            raise
        self.url = origin_form(self.url)
        super().on_headers_complete()
        if version == "1.0":
            without_chunks(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._num_unparsed = 0
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self.on_lost(self)

    def eof_received(self) -> bool:  # type: ignore[override]
        return not self.transport.is_closing() and super().eof_received()

    def resume_writing(self) -> None:
        self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._fault is not None:
            self._refuse(self._fault.status, self._fault.message, "invalid_request_error", self._fault.code)
        else:
            self._refuse(400, msg, "invalid_request_error", "invalid_http")

    def check(self, now: float) -> None:
        """Drops the connection if its client has left, or reads too slowly while the server waits for it."""
        self.drop_if_reset()
        size = self.transport.get_write_buffer_size()
        waits = self.flow.write_paused or self.transport.is_closing()
        waits = waits or self.cycle is None or self.cycle.response_complete
        if not (size and waits):
            self._unread = None
            return
        if self._unread is None:
            self._unread = now, size
            return
        since, before = self._unread
        if now - since >= self._limits.send_timeout_seconds:
            if before - size < _MIN_BYTES_PER_SECOND * (now - since):
                self.transport.abort()
            self._unread = now, size

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.receive_timeout_seconds, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        limit = self._limits.receive_timeout_seconds
        message = f"the head of the request must arrive within {limit:g} s"
        self._refuse(408, message, "timeout_error", "request_timeout")

    def _end_unparsed(self, between: bool) -> None:
        """Ends a connection whose parser holds too much of an incomplete header, chunk or trailer."""
        if between:
            self._refuse_head()
        else:  # an answer may already be in transmission, so that no other can be sent
            self._refused = True
            self.transport.abort()

    def _refuse_head(self) -> None:
        message = f"the head of the request must have at most {MAX_HEAD_BYTES} bytes; send fewer headers"
        self._refuse(431, message, "invalid_request_error", "head_too_large")

    def _refuse(self, status: int, message: str, kind: str, code: str, more: bytes = b"") -> None:
        """Answers what is not a request yet, and closes the connection.

        Where answers to earlier requests are due, it would be taken for one of them: they are sent, and then
        the connection is closed.
        """
        self._refused = True
        if status != 408 or self._num_unparsed:  # a connection that never asked anything sent no request
            self.on_refused(status)
        if self._owes_answers():
            self.cycle.keep_alive = False
            return
        error = {"message": message, "type": kind, "param": None, "code": code}
        body = json.dumps({"error": error}).encode()
        length = str(len(body)).encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: "
            + length
            + b"\r\n"
            + more
            + b"\r\n"
            + body
        )
        self.transport.close()

    def _owes_answers(self) -> bool:
        """Whether a request that has come whole is not answered, or an answer has begun."""
        last = self.cycle
        if last is None or last.response_complete:
            return False
        return bool(self.pipeline) or last.response_started or not last.more_body
