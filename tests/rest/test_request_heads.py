"""Heads of requests as strangers' clients send them: what is offered, asked for in another form, or wrong."""

import json
import random
import socket
from http.client import HTTPResponse

import pytest
from support.live_server import LiveServer

from nextchar.rest.http.request_parser import RequestParser

_SECONDS = 30
_CALL = json.dumps({"model": "tiny", "input": ["hello"]}).encode()
_OFFERS = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    b"Connection: upgrade, close\r\nUpgrade: TLS/1.0, HTTP/2.0\r\n",
    b"Connection: upgrade\r\nUpgrade:\r\n",
]
_EXPECTS = b"Expect: 100-continue\r\n"


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.app.http_port), timeout=_SECONDS)


def answer_on(connection: socket.socket, method: str = "POST") -> tuple[HTTPResponse, bytes]:
    answer = HTTPResponse(connection, method=method)
    answer.begin()
    return answer, answer.read()


def answer_to(server: LiveServer, said: bytes) -> tuple[HTTPResponse, bytes]:
    """The first answer to what is said on a connection of its own, and its content."""
    with connect(server) as connection:
        connection.sendall(said)
        return answer_on(connection, said.split(b" ")[0].decode())


def code_of(content: bytes) -> str:
    error: str = json.loads(content)["error"]["code"]
    return error


def post(body: bytes, more: bytes = b"", *, in_chunks: bool = False, path: bytes = b"/v1/score") -> bytes:
    """A request with more headers; in chunks it has trailers too."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + more
    if not in_chunks:
        return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nT: a\r\nHost: b\r\n\r\n"


@pytest.mark.parametrize("in_chunks", [False, True], ids=["sized", "in_chunks"])
@pytest.mark.parametrize("piece", [1, 7, 10**6])
@pytest.mark.parametrize("offer", _OFFERS)
def test_an_offer_of_another_protocol_is_ignored_and_the_body_is_read(
    server: LiveServer, offer: bytes, piece: int, in_chunks: bool
) -> None:
    said = post(_CALL, offer, in_chunks=in_chunks)
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(0, len(said), piece):
            connection.sendall(said[place : place + piece])
        answer, content = answer_on(connection)
        assert (answer.status, len(json.loads(content)["data"])) == (200, 1)


@pytest.mark.parametrize("offer", _OFFERS)
def test_offers_are_ignored_by_every_request_of_a_connection(server: LiveServer, offer: bytes) -> None:
    """In one piece, so that the parser meets the next request behind what it takes for accepted."""
    stays = offer.replace(b", close", b"")
    get = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + stays + b"\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    said = get + post(_CALL, stays) + get + post(_CALL, stays, in_chunks=True) + last
    with connect(server) as connection:
        connection.sendall(said)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 5
    assert answers.count(b'"status":"ok"') == 3


def test_a_session_moves_by_the_body_that_came_with_an_offer(server: LiveServer) -> None:
    made = server.post("/v1/sessions", {"model": "tiny", "prime": "he"}).json()
    path = f"/v1/sessions/{made['session_id']}".encode()
    sample, _ = answer_to(server, post(b'{"max_tokens": 3, "seed": 1}', _OFFERS[0], path=path + b"/sample"))
    fork, forked = answer_to(server, post(b'{"session_id": "forked"}', _OFFERS[0], path=path + b"/fork"))
    assert (sample.status, fork.status) == (200, 201)
    assert json.loads(forked)["session_id"] == "forked"
    assert json.loads(forked)["position"] == 2 + 3
    server.request("DELETE", "/v1/sessions/forked")


def test_a_body_is_asked_for_also_where_another_protocol_is_offered(server: LiveServer) -> None:
    with connect(server) as connection:
        head, _, body = post(_CALL, _OFFERS[0] + _EXPECTS).partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer_on(connection)[0].status == 200


def test_trailers_are_no_headers(server: LiveServer) -> None:
    """A proxy in front looks at headers; what comes behind the body must not be taken for one."""
    said = post(_CALL, in_chunks=True).replace(b"T: a", b"X-Request-Id: behind")
    answer, _ = answer_to(server, said)
    assert answer.status == 200
    assert answer.headers["x-request-id"] != "behind"


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /livez HTTP/1.1\r\n", 400, "invalid_http"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400, "invalid_http"),
        (b"GET /livez HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400, "invalid_http"),
        *((b"GET /livez HTTP/1.1\r\nHost: %s\r\n" % host, 400, "invalid_http") for host in (b"a b", b"a/b")),
        *((b"GET /livez HTTP/1.1\r\nHost: %s\r\n" % host, 400, "invalid_http") for host in (b"u@a", b"[::1")),
        *((b"GET /livez HTTP/1.1\r\nHost: %s\r\n" % host, 400, "invalid_http") for host in (b"::1", b"a:b")),
        (b"GET /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400, "invalid_http"),
        (b"GET /livez HTTP/2.0\r\nHost: a\r\n", 505, "invalid_http"),
        (b"GET /livez\r\n", 505, "invalid_http"),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n", 501, "not_implemented"),
        (b"BREW /livez HTTP/1.1\r\nHost: a\r\n", 400, "invalid_http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", 400, "invalid_http"),
        (
            b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            400,
            "invalid_http",
        ),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(
    server: LiveServer, head: bytes, status: int, code: str
) -> None:
    with connect(server) as connection:
        connection.sendall(head + b"\r\n")
        answer, content = answer_on(connection)
        assert (answer.status, code_of(content)) == (status, code)
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "host", [b"", b"localhost", b"LOCALHOST:80", b"[::1]:8000", b"[fe80::1%25a]", b"a_b.c"]
)
def test_every_name_and_address_is_a_host(server: LiveServer, host: bytes) -> None:
    assert answer_to(server, b"GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n" % host)[0].status == 200


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        ([b"gzip, chunked"], 501),
        ([b"gzip", b"chunked"], 501),
        ([b"chunked, chunked"], 400),
        ([b"gzip"], 501),
        ([b"identity"], 501),
        ([b"chunked, gzip"], 400),
        ([b"Chunked "], 200),
    ],
)
def test_a_transfer_coding_is_never_lost(server: LiveServer, codings: list[bytes], status: int) -> None:
    given = b"".join(b"Transfer-Encoding: %s\r\n" % coding for coding in codings)
    said = post(_CALL, in_chunks=True).replace(b"Transfer-Encoding: chunked\r\n", given)
    answer, content = answer_to(server, said)
    assert answer.status == status, content
    if status == 501:
        assert b"Content-Encoding: gzip" in content


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/livez", 200),
        (b"http://localhost/livez", 200),
        (b"HTTPS://localhost:99/livez?a=b#c", 200),
        (b"http://localhost", 200),
        (b"http://localhost?a=b", 200),
        (b"//localhost/livez", 404),
        (b"localhost/livez", 400),
        (b"*", 200),
    ],
)
def test_a_target_may_be_a_whole_url(server: LiveServer, target: bytes, status: int) -> None:
    assert answer_to(server, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0].status == status


def test_options_of_the_whole_server_are_told(server: LiveServer) -> None:
    answer, content = answer_to(server, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.status, code_of(content)) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_headers_may_be_empty(server: LiveServer) -> None:
    more = b"X-Request-Id:\r\nContent-Encoding: \r\nX-Empty:\r\nExpect:\r\n"
    assert answer_to(server, post(_CALL, more))[0].status == 200


class Told:
    """Writes down what a parser tells, with the parts of a body joined."""

    def __init__(self) -> None:
        self.requests: list[list[bytes]] = []
        self.headers: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.requests.append([b"", b"", b"not ended"])
        self.headers = []

    def on_url(self, url: bytes) -> None:
        self.requests[-1][0] += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.requests[-1].append(repr(self.headers).encode())

    def on_body(self, body: bytes) -> None:
        self.requests[-1][1] += body

    def on_message_complete(self) -> None:
        self.requests[-1][2] = b"ended"


@pytest.mark.parametrize("seed", range(20))
def test_however_the_bytes_are_cut_the_parser_tells_the_same(seed: int) -> None:
    """Also where a piece ends behind a head with an offer, in the body or in the next request."""
    rng, told = random.Random(seed), Told()
    bodies = [rng.randbytes(rng.choice([0, 1, 50])) for _ in range(6)]
    requests = [
        post(body, rng.choice([b"", *_OFFERS[:2]]), in_chunks=len(body) > 7 and rng.random() < 0.5)
        for body in bodies
    ]
    said = b"".join(requests)
    parser, place = RequestParser(told), 0
    while place < len(said):
        size = rng.choice([1, 3, 40, 1000])
        parser.feed_data(said[place : place + size])
        place += size
    assert [request[:3] for request in told.requests] == [[b"/v1/score", body, b"ended"] for body in bodies]
    for request, given in zip(told.requests, requests, strict=True):
        assert (b"upgrade" in request[3]) == (b"Upgrade" in given)
        assert b"'t', b'a'" not in request[3]


def test_a_body_that_is_too_large_is_not_asked_for(server: LiveServer) -> None:
    head = post(b"", _EXPECTS).replace(b"Content-Length: 0", b"Content-Length: 99999999")
    answer, content = answer_to(server, head)
    assert (answer.status, code_of(content)) == (413, "input_too_large")
