"""The metrics port among clients that are idle: a few connections, one thread, and an end for each."""

import socket
import threading
from pathlib import Path

import httpx
from support.live_server import TLS, live_server
from support.waiting import until

from nextchar.rest.http.metrics_server import MAX_METRICS_CONNECTIONS

_SECONDS = 30


def connected(port: int, num: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) for _ in range(num)]


def test_idle_connections_are_few_and_have_no_threads(models: Path) -> None:
    with live_server(models, max_connections=1) as server:
        assert httpx.get(server.metrics_url, verify=TLS).status_code == 200
        before = threading.active_count()
        idle = connected(server.app.metrics_port, MAX_METRICS_CONNECTIONS)
        late = connected(server.app.metrics_port, 1)[0]
        assert late.recv(100).startswith(b"HTTP/1.1 503 ")
        assert threading.active_count() == before
        assert server.get("/livez").status_code == 200  # they take nothing from the API
        for connection in (*idle, late):
            connection.close()
        until(lambda: httpx.get(server.metrics_url, verify=TLS).status_code == 200)


def test_an_idle_connection_ends(models: Path) -> None:
    with live_server(models, receive_timeout_seconds=0.2) as server:
        for connection in connected(server.app.metrics_port, 5):
            with connection:
                assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_it_is_read_while_the_loop_of_the_server_is_busy(models: Path) -> None:
    with live_server(models) as server:
        free = threading.Event()
        server.loop.call_soon_threadsafe(free.wait, _SECONDS)
        try:
            answer = httpx.get(server.metrics_url, timeout=_SECONDS, verify=TLS)
        finally:
            free.set()
        assert "nextchar_requests_in_progress" in answer.text
