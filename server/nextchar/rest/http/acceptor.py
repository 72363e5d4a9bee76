"""Accepts the connections of a listening socket, and counts each from then on until it has ended.

The servers of asyncio and uvloop hand a connection over only after its TLS handshake, so that those in a
handshake are in nobody's count.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from nextchar.rest.http.protocol import BoundedProtocol

_ACCEPTS_PER_CALL = 64  # then other work of the event loop has its turn
_REST_SECONDS = 1.0  # after the process has run out of file descriptors or memory

logger = logging.getLogger(__name__)


class Acceptor:
    """Accepts connections until it is closed.

    Without TLS, a connection beyond `max_connections` is refused by its protocol, in words; with TLS there is
    nobody yet to tell, and it is closed.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], BoundedProtocol],
        *,
        max_connections: int,
        tls: ssl.SSLContext | None,
        handshake_seconds: float,
        on_refused: Callable[[int], None] = lambda _status: None,
    ) -> None:
        self._listener, self._make_protocol = listener, make_protocol
        self._max_connections, self._tls, self._on_refused = max_connections, tls, on_refused
        self._handshake_seconds = None if tls is None else handshake_seconds
        self._loop = asyncio.get_running_loop()
        self._open: set[BoundedProtocol] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    @property
    def num_connections(self) -> int:
        """The connections that were accepted and have not ended."""
        return len(self._open)

    def close(self) -> None:
        """Accepts no more connections, and ends those in a handshake."""
        if self._rest is not None:
            self._rest.cancel()
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
        self._listener.close()
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        """Returns when no connection is in a handshake."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _listen(self) -> None:
        self._rest = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_CALL):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._begin(connection)

    def _pause(self, error: OSError) -> None:
        """Accepts nothing for a while: the next try would fail at once, and again, for ever."""
        logger.error("no connection can be accepted for %g s: %s", _REST_SECONDS, error.strerror)
        self._loop.remove_reader(self._listener)
        self._rest = self._loop.call_later(_REST_SECONDS, self._listen)

    def _begin(self, connection: socket.socket) -> None:
        if self._tls is not None and len(self._open) >= self._max_connections:
            connection.close()
            self._on_refused(503)
            return
        connection.setblocking(False)
        protocol = self._make_protocol()
        protocol.on_lost = self._open.discard
        self._open.add(protocol)
        task = self._loop.create_task(self._connect(connection, protocol))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket, protocol: BoundedProtocol) -> None:
        """Makes the transport of a connection, which owns the socket from then on."""
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_seconds,
            )
        except OSError as error:  # the client left or gave no handshake in time, or a wrong one
            self._open.discard(protocol)
            logger.debug("a connection ended before it was open: %s", error)
        except BaseException:
            self._open.discard(protocol)
            raise
