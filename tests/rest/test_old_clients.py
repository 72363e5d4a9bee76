"""HTTP/1.0 and HEAD: an answer has the form that its client can read."""

import json
import socket

import httpx
import pytest
from support.live_server import TLS, LiveServer
from test_request_heads import answer_to, connect

from nextchar.rest.app import RestApp

_STREAM = json.dumps({"model": "tiny", "max_tokens": 9, "seed": 1, "stream": True}).encode()
_LARGE = json.dumps({"model": "tiny", "max_tokens": 3000, "seed": 1, "logprobs": 20}).encode()


def posted(version: str, path: str, body: bytes, more: str = "") -> bytes:
    head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def all_said(server: LiveServer, said: bytes) -> tuple[bytes, bytes]:
    """The head and all that follows until the server ends the connection."""
    with connect(server) as connection:
        connection.sendall(said)
        head, _, content = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return head.lower(), content


@pytest.mark.parametrize("keeps", ["", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize("body", [_STREAM, _LARGE], ids=["stream", "large"])
def test_an_answer_of_unknown_length_ends_with_its_connection_for_http_1_0(
    server: LiveServer, body: bytes, keeps: str
) -> None:
    head, content = all_said(server, posted("1.0", "/v1/completions", body, keeps))
    assert head.startswith(b"http/1.1 200 ")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    now, expected = answer_to(server, posted("1.1", "/v1/completions", body))
    assert now.headers["transfer-encoding"] == "chunked"
    if body is _STREAM:
        assert content.endswith(b"data: [DONE]\n\n")
        assert content.count(b"data: ") == expected.count(b"data: ")
    else:
        assert json.loads(content)["choices"] == json.loads(expected)["choices"]


def test_http_1_0_is_not_asked_to_go_on_with_its_body(server: LiveServer) -> None:
    said = posted("1.0", "/v1/completions", _STREAM, "Expect: 100-continue\r\n")
    assert all_said(server, said)[0].startswith(b"http/1.1 200 ")


def test_an_answer_of_known_length_is_whole_for_http_1_0(server: LiveServer) -> None:
    head, content = all_said(server, b"GET /v1/models HTTP/1.0\r\n\r\n")
    assert f"content-length: {len(content)}".encode() in head
    assert json.loads(content)["object"] == "list"


def paths(server: LiveServer, method: str) -> list[str]:
    """The paths of the API that have a method, of which those with names name what exists."""
    rest = RestApp(server.app.service, max_body_bytes=1, request_timeout_seconds=1)
    names = {"model_id": "tiny", "model": "tiny", "version": "1", "session_id": "headed", "judge_id": "words"}
    found = [route.path.format(**names) for route in rest.routes if method in route.methods]
    return [f"{path}?model=tiny" if path == "/tokenizer_info" else path for path in found]


def test_every_path_that_can_be_got_answers_head_with_the_same_head(server: LiveServer) -> None:
    server.post("/v1/sessions", {"model": "tiny", "session_id": "headed"})
    changing = {"date", "x-request-id", "x-total-time", "etag", "content-length"}
    for path in [*paths(server, "GET"), "/"]:
        got, head = (server.request(method, path) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (200, b""), path
        assert got.status_code == 200, path
        assert {n: v for n, v in head.headers.items() if n not in changing} == {
            n: v for n, v in got.headers.items() if n not in changing
        }, path
        if path != "/metrics":
            assert head.headers["content-length"] == str(len(got.content)), path
    server.request("DELETE", "/v1/sessions/headed")


def test_a_connection_goes_on_after_head(server: LiveServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.count(b"HTTP/1.1 200 ") == 3
    assert said.count(b'{"') == 1


def test_head_of_what_is_only_posted_to_says_what_is_allowed(server: LiveServer) -> None:
    for path in paths(server, "POST"):
        if path in paths(server, "GET"):
            continue
        answer = server.request("HEAD", path)
        assert (answer.status_code, answer.content) == (405, b""), path
        assert answer.headers["allow"] == "POST", path
    assert server.post("/v1/models", {}).headers["allow"] == "GET, HEAD"
    assert server.request("PATCH", "/v1/sessions").headers["allow"] == "GET, HEAD, POST"


def test_the_port_of_the_metrics_answers_head_and_http_1_0(server: LiveServer) -> None:
    answer = httpx.head(server.metrics_url, verify=TLS)
    assert (answer.status_code, answer.content) == (200, b"")
    with socket.create_connection(("127.0.0.1", server.app.metrics_port), timeout=30) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in said
    assert said.endswith(b"\n")
