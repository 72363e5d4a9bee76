"""Runs uvicorn inside this process, which keeps its signal handlers and decides when to stop."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from nextchar.rest.http.acceptor import Acceptor
from nextchar.rest.http.addresses import listen
from nextchar.rest.http.answer_framing import answering_head
from nextchar.rest.http.protocol import BoundedProtocol, ConnectionLimits
from nextchar.security.tls import HttpTls

_TICKS_PER_CHECK = 10  # of 0.1 s


class HttpServer:
    """Serves an ASGI application on an address until it is stopped."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        limits: ConnectionLimits,
        tls: HttpTls | None = None,
        on_refused: Callable[[int], None] = lambda _status: None,
    ) -> None:
        """`on_refused` is called with the status of what is refused before it is a request."""
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            answering_head(app),
            http=partial(BoundedProtocol, limits),  # type: ignore[arg-type]
            ws="none",
            timeout_keep_alive=limits.keep_alive_timeout_seconds,  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._server = _Server(config, limits, None if tls is None else tls.context, on_refused)
        self._serving: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Listens no longer; for a server that is not started, or has ended."""
        self._socket.close()

    async def start(self) -> asyncio.Task[None]:
        """Starts the server; returns when it accepts connections, with the task that serves them."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._serving.done():
            self._socket.close()
            self._serving.result()  # raises why it did not start
        return self._serving

    async def stop(self, grace_seconds: float) -> None:
        """Accepts no more connections; returns when running requests have ended, or after `grace_seconds`."""
        # uvicorn waits whole seconds; rounding up gives running requests all of their time.
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_seconds + 0.5))
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait({self._serving})
            if self._serving.exception() is not None:  # it failed, and has left its connections open
                await self._server.shutdown([self._socket])
        self._socket.close()

    async def abort(self) -> None:
        """Ends the server and its connections at once."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        for server in self._server.servers:
            server.close()
            await server.wait_closed()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._socket.close()


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        limits: ConnectionLimits,
        tls: ssl.SSLContext | None,
        on_refused: Callable[[int], None],
    ) -> None:
        super().__init__(config)
        self.servers = []
        self.up = asyncio.Event()
        self._limits, self._tls, self._on_refused = limits, tls, on_refused

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        self.servers = [self._acceptor(listener) for listener in sockets or ()]  # type: ignore[misc]
        self.started = True
        self.up.set()

    def _acceptor(self, listener: socket.socket) -> Acceptor:
        def make_protocol() -> BoundedProtocol:
            made = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            assert isinstance(made, BoundedProtocol)
            made.on_refused = self._on_refused
            return made

        return Acceptor(
            listener,
            make_protocol,
            max_connections=self._limits.max_connections,
            tls=self._tls,
            handshake_seconds=self._limits.receive_timeout_seconds,
            on_refused=self._on_refused,
        )

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_CHECK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                assert isinstance(connection, BoundedProtocol)
                connection.check(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
