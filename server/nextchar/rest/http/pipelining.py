"""Bounds how many requests of one connection wait for their answers (HTTP pipelining).

uvicorn parses all that it is given, queues a request for each head, and reads on while a request waits for
its client to leave. Here the parser is given one request at a time, and what lies beyond a few that wait is
neither parsed nor read until they are answered.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nextchar.rest.http.request_parser import RequestParser

MAX_WAITING_REQUESTS = 4
_BLANK_LINE = b"\r\n\r\n"  # ends a head, and a body in chunks
_LEAST_BYTES = len(b"GET / HTTP/1.1\r\n\r\n")  # of a request
_LEAST_BYTES_IN_CHUNKS = 64  # as a body may be full of blank lines
_MOST_BYTES = 1024  # of a head, or of a body of unknown length, that the parser is given at once


class HoldingFlow(FlowControl):
    """Does not let its connection read on while something that was read is held back."""

    holds = False

    def resume_reading(self) -> None:
        if not self.holds:
            super().resume_reading()


class PipeliningProtocol(HttpToolsProtocol):
    """Holds back what comes after a few requests that wait, and reads no further until they are answered."""

    flow: HoldingFlow
    _answering: RequestResponseCycle | None = None  # uvicorn's `cycle` is the last request that came
    _held = b""
    _place = 0  # in what is held, where the parser goes on
    _declared = 0  # the length of the body that the head being parsed declares
    _body_left = 0  # bytes of the body being parsed, if its length is known
    _in_chunks = False

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.parser: RequestParser = RequestParser(self)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HoldingFlow(transport)

    def data_received(self, data: bytes) -> None:
        # A transport may still hand over what it had read before it was paused.
        self._held, self._place = self._held[self._place :] + data, 0
        if not self.flow.holds:
            self._parse_held()

    def parse(self, piece: bytes) -> None:
        """Parses a piece, in which one request begins, or a few tiny ones behind the chunks of another."""
        super().data_received(piece)

    def on_message_begin(self) -> None:
        self._declared, self._body_left, self._in_chunks = 0, 0, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"content-length" and value.isdigit():
            self._declared = int(value)
        self._in_chunks |= lowered == b"transfer-encoding"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._body_left = self._declared
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_left, self._in_chunks = 0, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.flow.holds:
            self.loop.call_soon(self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        self._held, self._place = b"", 0
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        self.flow.holds = False
        self._parse_held()
        self.flow.resume_reading()

    def _parse_held(self) -> None:
        """Parses what was received, until a few requests wait; then holds the rest back."""
        while self._place < len(self._held) and not self.transport.is_closing():
            if len(self.pipeline) >= MAX_WAITING_REQUESTS:
                self.flow.holds = True
                self.flow.pause_reading()
                return
            start, self._place = self._place, self._end_of_piece()
            self.parse(self._held[start : self._place])
        self._held, self._place = b"", 0

    def _end_of_piece(self) -> int:
        """Returns where the next piece ends: with a head, with a body, or within them."""
        start, size = self._place, len(self._held)
        if self._body_left > 0:
            return min(size, start + self._body_left)
        end = min(size, start + _MOST_BYTES)
        least = _LEAST_BYTES_IN_CHUNKS if self._in_chunks else _LEAST_BYTES
        blank = self._held.find(_BLANK_LINE, start + least - len(_BLANK_LINE), end)
        return end if blank < 0 else blank + len(_BLANK_LINE)
