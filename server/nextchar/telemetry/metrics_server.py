"""Serves the metrics to Prometheus on a port of their own, from a thread of their own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

# How often the thread looks whether it is to end: prometheus_client's own looks twice a second, and a server
# that stops waits for it.
_LOOK_SECONDS = 0.05


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Writes no line per scrape."""


@contextmanager
def metrics_server(registry: Collector, host: str, port: int) -> Iterator[int]:
    """Serves a registry for as long as the context lasts; yields the port.

    Raises:
        OSError: the port is in use.
    """

    class Server(ThreadingWSGIServer):
        address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]

    app = make_wsgi_app(registry)
    with make_server(host, port, app, Server, handler_class=_SilentHandler) as server:
        looks = {"poll_interval": _LOOK_SECONDS}
        thread = threading.Thread(target=server.serve_forever, kwargs=looks, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
