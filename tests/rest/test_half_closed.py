"""Clients that have sent their last byte: those that gave up, and those that wait for their answer."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.certificates import Authority
from support.live_server import LiveServer, live_server
from support.waiting import until

from nextchar.entrypoints.commands.serve import _loop_factory
from nextchar.rest.http.half_close import HAS_CLIENT
from nextchar.rest.http.protocol import ConnectionLimits
from nextchar.rest.http.server import HttpServer
from nextchar.rest.sse import EventStream, event

_SECONDS = 30
_RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER: closing it resets the connection
SCORE = ("/v1/score", {"model": "tiny", "input": ["abc"]})


@contextmanager
def held_loop(server: LiveServer) -> Iterator[None]:
    """Holds the server as SIGSTOP does: what comes meanwhile waits in its sockets, and so do their ends."""
    reached, free = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        free.wait(_SECONDS)

    server.loop.call_soon_threadsafe(hold)
    assert reached.wait(_SECONDS)
    try:
        yield
    finally:
        free.set()


@contextmanager
def event_loop(*, uvloops: bool) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=_loop_factory() if uvloops else None) as runner:
        yield runner


def message(path: str, body: dict[str, Any], version: str = "1.1") -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.app.http_port), timeout=_SECONDS)


def rest(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answer_to(said: bytes) -> tuple[int, dict[str, Any]]:
    """The last answer of a connection, behind interim ones."""
    head, _, body = said[said.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
def session(server: LiveServer) -> Iterator[str]:
    made = server.post("/v1/sessions", {"model": "tiny", "prime": "ab"})
    session_id: str = made.json()["session_id"]
    yield session_id
    server.request("DELETE", f"/v1/sessions/{session_id}")


def position(server: LiveServer, session_id: str) -> int:
    found: int = server.get(f"/v1/sessions/{session_id}").json()["position"]
    return found


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_who_has_no_more_to_send_is_answered(server: LiveServer, version: str) -> None:
    with connect(server) as connection:
        with held_loop(server):
            connection.sendall(message(*SCORE, version))
            connection.shutdown(socket.SHUT_WR)
        said = rest(connection)
    status, body = answer_to(said)
    assert (status, len(body["data"])) == (200, 1)
    assert (b"100 Continue" in said) <= (version == "1.1")  # HTTP/1.0 knows no interim answers
    assert b"connection: close\r\n" in said


def test_a_change_of_who_may_have_given_up_is_not_done_and_says_so(server: LiveServer, session: str) -> None:
    before = position(server, session)
    with connect(server) as connection:
        with held_loop(server):
            connection.sendall(message(f"/v1/sessions/{session}/feed", {"text": "hello"}))
            connection.shutdown(socket.SHUT_WR)
        status, body = answer_to(rest(connection))
    assert (status, body["error"]["code"]) == (499, "client_gone")
    assert position(server, session) == before


@pytest.mark.parametrize("end", ["closed", "reset"])
def test_nothing_is_done_for_who_gave_up_while_the_server_was_stopped(
    server: LiveServer, session: str, end: str
) -> None:
    before = position(server, session)
    calls = server.metric("nextchar_requests_total", route="session", outcome="cancelled")
    with held_loop(server):
        for _ in range(10):
            connection = connect(server)
            connection.sendall(message(f"/v1/sessions/{session}/feed", {"text": "hello"}))
            if end == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.close()
    until(
        lambda: (
            server.metric("nextchar_requests_total", route="session", outcome="cancelled") >= calls + 10
            or end == "reset"
        )
    )
    until(server.is_idle)
    assert position(server, session) == before


def test_nor_over_tls(models: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server")
    context = ssl.create_default_context(cafile=authority.certificate)
    with live_server(models, tls_certificate_file=certificate, tls_key_file=key) as server:
        url = server.url.replace("http:", "https:")
        with httpx.Client(base_url=url, verify=context) as client:
            session = client.post("/v1/sessions", json={"model": "tiny", "prime": "ab"}).json()["session_id"]
            open_ones = [context.wrap_socket(connect(server), server_hostname="localhost") for _ in range(10)]
            with held_loop(server):
                for connection in open_ones:
                    connection.sendall(message(f"/v1/sessions/{session}/feed", {"text": "hello"}))
                    connection.close()
            until(server.is_idle)
            until(lambda: server.metric("nextchar_requests_in_progress") == 0)
            assert client.get(f"/v1/sessions/{session}").json()["position"] == 2


def test_the_work_of_who_is_gone_is_cancelled_although_the_connection_could_be_half_closed(
    server: LiveServer,
) -> None:
    long = {"model": "tiny", "max_tokens": 16_000, "logprobs": 20}
    with connect(server) as connection:
        connection.sendall(message("/v1/completions", long))
        until(lambda: not server.is_idle())
    until(server.is_idle)
    assert server.metric("nextchar_requests_total", route="complete", outcome="cancelled") >= 1


def test_requests_before_the_end_are_all_answered(server: LiveServer) -> None:
    with connect(server) as connection:
        with held_loop(server):
            connection.sendall(message(*SCORE) * 20)
            connection.shutdown(socket.SHUT_WR)
        said = rest(connection)
    assert said.count(b"HTTP/1.1 200 OK") == 20


def test_half_a_request_and_the_end_is_no_request(server: LiveServer) -> None:
    with connect(server) as connection:
        connection.sendall(message(*SCORE)[:-3])
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection) == b""


@pytest.mark.parametrize("end", ["shut", "closed", "reset"])
@pytest.mark.parametrize("uvloops", [True, False])
def test_the_end_of_a_connection_is_seen_before_the_loop_has_read_it(end: str, uvloops: bool) -> None:
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        has_client = scope["extensions"][HAS_CLIENT]
        seen.append(has_client())
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if end == "shut":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        seen.append(has_client())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def serve() -> None:
        server = HttpServer(app, host="127.0.0.1", port=0, limits=ConnectionLimits())
        await server.start()
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while len(seen) < 2:
            await asyncio.sleep(0)
        await server.stop(0)

    with socket.socket() as client, event_loop(uvloops=uvloops) as runner:
        client.setblocking(False)
        runner.run(asyncio.wait_for(serve(), _SECONDS))
    assert seen == [True, False]


async def _no_pieces() -> AsyncGenerator[bytes]:
    return
    yield  # a generator


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("uvloops", [True, False])
def test_a_stream_without_events_asks_who_has_no_more_to_send(leaves: bool, uvloops: bool) -> None:
    """Who has left is gone before any ping is due; who only listens reads a comment, and the stream."""

    async def serve() -> bytes:
        go_on, ended = asyncio.Event(), asyncio.Event()

        async def source() -> AsyncGenerator[bytes]:
            try:
                yield event("1")
                await go_on.wait()
                yield event("2")
            finally:
                ended.set()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await EventStream(source(), _no_pieces(), ping_seconds=1e6)(scope, receive, send)

        server = HttpServer(app, host="127.0.0.1", port=0, limits=ConnectionLimits())
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = await reader.readuntil(event("1"))
        if leaves:
            writer.close()
        else:
            writer.write_eof()
            said += await reader.readuntil(b": still here\n\n")
            go_on.set()
            said += await reader.read()
            writer.close()
        await ended.wait()
        await server.stop(0)
        return said

    with event_loop(uvloops=uvloops) as runner:
        said = runner.run(asyncio.wait_for(serve(), _SECONDS))
    assert (event("2") in said) == (not leaves)
    assert said.count(b": still here") == (not leaves)
