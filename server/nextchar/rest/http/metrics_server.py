"""Serves the metrics to Prometheus on a port of their own, from one thread with an event loop of its own.

They can so be read while the server's loop is busy, and their connections have the limits of all others.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from prometheus_client import make_asgi_app
from prometheus_client.registry import Collector

from nextchar.rest.http.protocol import ConnectionLimits
from nextchar.rest.http.server import HttpServer

MAX_METRICS_CONNECTIONS = 64  # of their own, so that a flood of requests does not blind who watches it

logger = logging.getLogger(__name__)


@contextmanager
def metrics_server(registry: Collector, *, host: str, port: int, limits: ConnectionLimits) -> Iterator[int]:
    """Serves a registry for as long as the context lasts; yields the port.

    Raises:
        CannotListen: the port is in use.
    """
    own = replace(limits, max_connections=MAX_METRICS_CONNECTIONS)
    server = HttpServer(make_asgi_app(registry), host=host, port=port, limits=own)
    started: Future[_Ending] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(server, started)), name="metrics", daemon=True
    )
    thread.start()
    try:
        ending = started.result()
        try:
            yield server.port
        finally:
            ending.begin()
    finally:
        thread.join()


class _Ending:
    """Tells the thread of a server, from another one, that it is to end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun = asyncio.Event()

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self._begun.set)

    async def wait(self) -> None:
        await self._begun.wait()


async def _serve(server: HttpServer, started: "Future[_Ending]") -> None:
    """Runs a server until its end begins; whoever waits for `started` is told why it cannot start."""
    try:
        serving = await server.start()
    except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
        started.set_exception(error)
        return
    serving.add_done_callback(_log_failure)
    ending = _Ending()
    started.set_result(ending)
    await ending.wait()
    await server.abort()


def _log_failure(serving: "asyncio.Task[None]") -> None:
    if not serving.cancelled() and serving.exception() is not None:
        logger.error("the metrics port does not time out connections any more", exc_info=serving.exception())
