"""uvicorn inside our own process: it neither owns the signals nor decides when to stop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from nextchar.errors import CannotListen
from nextchar.rest.http_protocol import BoundedProtocol, ConnectionLimits
from nextchar.security.tls import HttpTls

_BACKLOG = 2048
_TICKS_A_LOOK = 10  # of 0.1 s


class HttpServer:
    """Serves an ASGI application on an address until told to stop."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        limits: ConnectionLimits,
        tls: HttpTls | None = None,
    ) -> None:
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=partial(BoundedProtocol, limits),  # type: ignore[arg-type]
            ws="none",
            ssl_context_factory=None if tls is None else lambda *_: tls.context,
            timeout_keep_alive=limits.keep_alive_timeout_seconds,  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> asyncio.Task[None]:
        """Returns when connections are accepted, with the task that serves them."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._serving.done():
            self._socket.close()
            self._serving.result()  # raises why it did not start
        return self._serving

    async def stop(self, grace_seconds: float) -> None:
        """Accept nothing more; returns when running requests are done, or out of time."""
        # uvicorn waits whole seconds; rounding up keeps the promise to running requests.
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_seconds + 0.5))
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait({self._serving})
            if self._serving.exception() is not None:  # it failed, and has left its connections open
                await self._server.shutdown([self._socket])
        self._socket.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_LOOK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                assert isinstance(connection, BoundedProtocol)
                connection.look(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        CannotListen: the address is in use, or is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
