"""Parses requests with httptools, and corrects two things that it does.

When a request offers another protocol (`Upgrade: h2c`, as the JDK's client does with its first request),
httptools takes the offer for accepted and drops the body. A server may ignore the offer; this one does, and
reads the body.

httptools reports the trailers of a chunked body as headers. A proxy in front has not looked at them, so they
are dropped.
"""

from typing import Any

import httptools

_CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
_SIZED = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n"


class RequestParser:
    """Calls the `on_…` methods of a protocol for what it is fed, as `httptools.HttpRequestParser` does."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._in_head = False
        self._body_head = b""  # of the body that is still to come where a protocol was offered
        self._silent = False
        self._parser = self._make()

    def feed_data(self, data: bytes) -> None:
        """Parses some bytes.

        Raises:
            httptools.HttpParserError: they are not HTTP, or a method of the protocol has failed.
        """
        rest = data
        while rest:
            try:
                self._parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                if self._body_head:
                    self._begin_body()

    def get_http_version(self) -> str:
        """Returns the version of the request whose head has come."""
        return self._parser.get_http_version()

    def get_method(self) -> bytes:
        """Returns the method of the request whose head has come."""
        return self._parser.get_method()

    def should_keep_alive(self) -> bool:
        """Returns whether the client wants to use the connection again."""
        return self._parser.should_keep_alive()

    def should_upgrade(self) -> bool:
        """Returns whether another protocol follows: never."""
        return False

    def on_message_begin(self) -> None:
        if not self._silent:
            self._in_head = True
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._silent:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head and not self._silent:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._silent:
            return
        self._in_head = False
        self._protocol.on_headers_complete()
        if self._parser.should_upgrade():
            self._body_head = _framing(self._protocol.headers)

    def on_body(self, body: bytes) -> None:
        self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        if not self._body_head:
            self._protocol.on_message_complete()

    def _make(self) -> httptools.HttpRequestParser:
        made = httptools.HttpRequestParser(self)
        # As uvicorn does: a request may be answered although more was sent behind a last one.
        made.set_dangerous_leniencies(lenient_data_after_close=True)
        return made

    def _begin_body(self) -> None:
        """Goes on with a parser that expects a body framed as that of the request."""
        head, self._body_head = self._body_head, b""
        self._parser, self._silent = self._make(), True
        self._parser.feed_data(head)
        self._silent = False


def _framing(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Returns a head that frames a body as these headers, which were checked, do; b"" if none follows."""
    given = dict(headers)
    if b"transfer-encoding" in given:
        return _CHUNKED
    length = int(given.get(b"content-length") or 0)
    return _SIZED % length if length else b""
