"""Connections that say nothing, say it slowly, never read, or are too many: each has an end."""

import json
import os
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest
from support.live_server import TLS, LiveServer, live_server
from support.waiting import until

from nextchar.schemas.limits import MAX_HEAD_BYTES

BOUNDS = {"receive_timeout_seconds": 0.3, "send_timeout_seconds": 0.3, "keep_alive_timeout_seconds": 0.3}
HEAD = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
_SECONDS = 30


@pytest.fixture(scope="module")
def hasty(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_connections=50, **BOUNDS) as running:
        yield running


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.app.http_port), timeout=_SECONDS)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"POST /v1/sc", HEAD], ids=["nothing", "line", "path", "head"]
)
def test_a_head_that_does_not_come_ends_the_connection(hasty: LiveServer, said: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(said)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_a_body_that_does_not_come_is_told_so(hasty: LiveServer) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"\r\n{")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("path", "given"),
    [("/v1/score", {"input": ["hel"]}), ("/v1/next", {"input": "hel"}), ("/tokenize", {"prompt": "hel"})],
)
def test_a_body_that_comes_in_pieces_behind_its_head_is_read(
    server: LiveServer, path: str, given: dict[str, object]
) -> None:
    body = json.dumps({"model": "tiny", **given}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(100):  # whoever looks whether the client is still there must not take the body
            for piece in (head, body[:9], body[9:]):
                connection.sendall(piece)
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, bool(json.loads(answer.read()))) == (200, True)


def test_a_connection_that_is_idle_after_an_answer_is_closed(hasty: LiveServer) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


def test_lines_between_requests_do_not_keep_a_connection(hasty: LiveServer) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"\r\n")
        assert b"HTTP/1.1 408 " in rest(connection)


@pytest.mark.parametrize("stream", [True, False])
def test_who_does_not_read_is_dropped(hasty: LiveServer, stream: bool) -> None:
    before = num_files()
    # 500 bytes each: more than the sockets' buffers hold.
    body = {"model": "tiny", "max_tokens": 12_000, "seed": 1, "logprobs": 20, "stream": stream}
    content = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", hasty.app.http_port))
        reader.settimeout(_SECONDS)
        reader.sendall(head.encode() + content)
        assert reader.recv(20).startswith(b"HTTP/1.1 200")
        until(lambda: num_files() <= before + 1)  # the reader's own end is one
        until(hasty.is_idle)


def num_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_too_many_connections_are_told_so_and_the_others_are_served(models: Path) -> None:
    with live_server(models, max_connections=5) as server:
        with httpx.Client(verify=TLS) as client:
            assert client.get(server.url + "/livez").status_code == 200
            idle = [connect(server) for _ in range(4)]
            with connect(server) as late:
                answer = rest(late)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1\r\n" in answer
            assert client.get(server.url + "/livez").status_code == 200
            for connection in idle:
                connection.close()
        until(lambda: server.get("/livez").status_code == 200)


def test_what_is_not_http_is_told_so_in_our_shape(server: LiveServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_http"


def test_what_is_not_http_is_not_taken_for_the_answer_to_what_came_before(server: LiveServer) -> None:
    body = json.dumps({"model": "tiny", "max_tokens": 200}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head.encode() + body + b"\x16\x03\x01 hello\r\n\r\n")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


_BEGIN = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "said",
    [
        _BEGIN + b"A: " + b"b" * MAX_HEAD_BYTES,
        _BEGIN + b"b" * MAX_HEAD_BYTES,
        _BEGIN + b"A: b\r\n" * 2500 + b"\r\n",
        b"GET /" + b"a" * MAX_HEAD_BYTES,
    ],
    ids=["value", "name", "many", "path"],
)
def test_a_head_that_is_too_large_is_refused_before_it_ends(server: LiveServer, said: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(said)
        answer = rest(connection)
    assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    code = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"]
    assert code in ("head_too_large", "invalid_http")
    assert code == "head_too_large" or said.startswith(b"GET /a")  # the parser has a limit of its own there


def test_a_large_head_is_taken(server: LiveServer) -> None:
    with connect(server) as connection:
        for piece in (_BEGIN, b"A: " + b"b" * 30_000 + b"\r\n", b"C: " + b"d" * 30_000 + b"\r\n"):
            connection.sendall(piece)
        connection.sendall(b"Connection: close\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("piece", [b"5;" + b"a" * 4096, b"0\r\nT: " + b"a" * 4096], ids=["chunk", "trailer"])
def test_what_never_becomes_a_body_ends_the_connection(server: LiveServer, piece: bytes) -> None:
    head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(server) as connection, pytest.raises(OSError, match=r"reset|Broken pipe"):
        connection.sendall(head + piece + b"a" * 2**24)


def test_every_answer_has_security_headers_and_a_request_id(server: LiveServer) -> None:
    for path in ("/livez", "/v1/models", "/none", "/docs"):
        headers = server.get(path, headers={"X-Request-Id": "mine"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"] == "mine"
        assert "access-control-allow-origin" not in headers


def test_pages_of_other_origins_may_call_only_where_a_setting_says_so(models: Path) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    with live_server(models, cors_origins="https://a.example, https://b.example") as server:
        answer = server.request("OPTIONS", "/v1/score", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        allowed = answer.headers["access-control-allow-headers"]
        assert {"Content-Encoding", "X-Session-Id"} <= {*allowed.split(", ")}
        exposed = server.get("/v1/models", headers=asked).headers["access-control-expose-headers"]
        assert {"X-Session-Id", "X-Session-Revision"} <= {*exposed.split(", ")}
        other = server.request("OPTIONS", "/v1/score", headers=asked | {"Origin": "https://c.example"})
        assert "access-control-allow-origin" not in other.headers
