"""Decides what a connection is good for once its client has sent the last byte (FIN).

A client that gave up and one that only has no more to send look alike. So nothing that changes a session is
done for either (`has_client`), and the connection stays open as long as an answer is due: whoever is still
there reads it. Whoever is not is found out by an interim answer, or by a comment in a stream of events that
has begun (`SENT_ALL`), to which the system of a client that has left replies with a reset; its work is then
cancelled. With TLS the connection ends there, as TLS in Python has no half-closed state.
"""

import asyncio
from typing import Any

from nextchar.rest.http.peer import has_reset, has_sent_all
from nextchar.rest.http.pipelining import PipeliningProtocol

# The names in the ASGI scope's `extensions` of what tells whether the client is there, and of the event that
# is set once it has sent its last byte.
HAS_CLIENT, SENT_ALL = "nextchar.has_client", "nextchar.sent_all"

_ARE_YOU_THERE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REPLY_SECONDS = 0.02  # after which is looked first, for clients that are near


class HalfClosingProtocol(PipeliningProtocol):
    """Answers clients that have ended their direction of the connection, and tells who has."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._sent_all = asyncio.Event()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        told = {HAS_CLIENT: self.has_client, SENT_ALL: self._sent_all}
        self.scope["extensions"] = told  # type: ignore[typeddict-item]

    def has_client(self) -> bool:
        """Returns whether the client could still send: its end is open as far as the system knows by now."""
        if self._sent_all.is_set() or self.transport.is_closing():
            return False
        return not has_sent_all(self._file())

    def eof_received(self) -> bool:  # type: ignore[override]
        """Returns whether the connection stays open: an answer is due to a request that has come whole."""
        last = self.cycle
        if last is None or last.response_complete or last.more_body or self.scheme == "https":
            return False
        if not self._sent_all.is_set():
            self._sent_all.set()
            last.keep_alive = False  # the connection ends with its answer
            if not (self.pipeline or last.response_started or last.scope["http_version"] == "1.0"):
                self.transport.write(_ARE_YOU_THERE)
            self.loop.call_later(_REPLY_SECONDS, self.drop_if_reset)
        return True

    def drop_if_reset(self) -> None:
        """Ends a connection that nobody reads from; the loop does not notice, as it does not read either."""
        if self._sent_all.is_set() and not self.transport.is_closing() and has_reset(self._file()):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sent_all.set()
        super().connection_lost(exc)

    def _file(self) -> int:
        connection: Any = self.transport.get_extra_info("socket")
        number: int = -1 if connection is None else connection.fileno()
        return number
