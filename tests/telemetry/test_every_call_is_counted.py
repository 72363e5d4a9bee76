"""Requests that have ended and those in progress are what clients have sent, to the call."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families
from support.engine_lanes import Gate
from support.live_server import TLS, LiveServer, live_server
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs
from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope

MAX_BYTES = 50_000
Series = tuple[str, str, str]  # route, protocol, outcome
SCORE: dict[str, Any] = {"model": "tiny", "input": ["a"]}
MESSAGE = pb.ScoreRequest(**SCORE)


def counted(server: LiveServer) -> Counter[Series]:
    """The requests that have ended."""
    text = httpx.get(server.metrics_url, verify=TLS, timeout=30).text
    found: Counter[Series] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "nextchar_requests_total":
                of = sample.labels
                found[of["route"], of["protocol"], of["outcome"]] += int(sample.value)
    return +found


def is_counted(server: LiveServer, before: Counter[Series], more: Counter[Series]) -> None:
    until(lambda: (counted(server) - before).total() >= more.total())
    assert counted(server) - before == more


def rpc(path: str, *data: bytes, **metadata: str) -> Callable[[LiveServer], None]:
    """Makes one call of whatever kind, and reads all that is answered."""

    def call(server: LiveServer) -> None:
        with grpc.insecure_channel(server.grpc_address) as channel:
            given = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
            try:
                list(channel.stream_stream(path)(iter(data), metadata=given, timeout=30))
            except grpc.RpcError:
                return

    return call


def raw(data: bytes) -> Callable[[LiveServer], None]:
    def call(server: LiveServer) -> None:
        with socket.create_connection(("127.0.0.1", server.app.http_port), timeout=30) as connection:
            connection.sendall(data)
            while connection.recv(65536):
                pass

    return call


def post(body: Any = SCORE, path: str = "/v1/score", **fields: Any) -> Callable[[LiveServer], None]:
    return lambda server: server.request("POST", path, json=body, **fields) and None


def get(path: str, **fields: Any) -> Callable[[LiveServer], None]:
    return lambda server: server.request("GET", path, **fields) and None


NEXTCHAR, SESSIONS = "/nextchar.v1.Nextchar/", "/nextchar.v1.Sessions/"
OK = MESSAGE.SerializeToString()
LATE = pb.ScoreRequest(model="tiny", input=["a" * 1000], timeout=1e-6).SerializeToString()
CREATE = pb.SessionCall(create=pb.CreateSessionRequest(model="tiny")).SerializeToString()
FEED = pb.SessionCall(feed=pb.FeedRequest(text="a")).SerializeToString()
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
Expected = dict[Series, int]

# What a server without keys is sent, and the series in which it is found again.
CALLS: dict[str, tuple[Callable[[LiveServer], None], Expected]] = {
    "score": (post(), {("score", "rest", "success"): 1}),
    "no JSON": (
        lambda s: (
            s.request("POST", "/v1/score", content=b"{", headers={"Content-Type": "application/json"})
            and None
        ),
        {("score", "rest", "invalid"): 1},
    ),
    "unknown field": (post({**SCORE, "x": 1}), {("score", "rest", "invalid"): 1}),
    "422": (post({"model": "refusing", "input": ["A"]}), {("score", "rest", "invalid"): 1}),
    "unknown model": (post({**SCORE, "model": "none"}), {("score", "rest", "invalid"): 1}),
    "404": (get("/none"), {("other", "rest", "invalid"): 1}),
    "405": (get("/v1/score"), {("score", "rest", "invalid"): 1}),
    "413": (post({**SCORE, "input": ["a" * MAX_BYTES]}), {("score", "rest", "invalid"): 1}),
    "415": (
        lambda s: (
            s.request("POST", "/v1/score", content=b"{}", headers={"Content-Type": "text/plain"}) and None
        ),
        {("score", "rest", "invalid"): 1},
    ),
    "wrong Host": (post(headers={"Host": "evil.example"}), {("score", "rest", "invalid"): 1}),
    "wrong Origin": (post(headers={"Origin": "http://evil.example"}), {("score", "rest", "invalid"): 1}),
    "deadline": (
        post({"model": "tiny", "input": ["a" * 1000], "timeout": 1e-6}),
        {("score", "rest", "timeout"): 1},
    ),
    "no such session": (get("/v1/sessions/none"), {("session", "rest", "invalid"): 1}),
    "a stream": (
        post({"model": "tiny", "max_tokens": 3, "stream": True}, "/v1/completions"),
        {("complete", "rest", "success"): 1},
    ),
    "models": (get("/v1/models"), {("info", "rest", "success"): 1}),
    "no such model": (get("/v1/models/none"), {("info", "rest", "invalid"): 1}),
    "metrics": (get("/metrics"), {("info", "rest", "success"): 1}),
    "health": (get("/health"), {}),
    "page": (get("/"), {}),
    "no HTTP": (raw(b"what is this?\r\n\r\n"), {("other", "rest", "invalid"): 1}),
    "431": (
        raw(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"),
        {("other", "rest", "invalid"): 1},
    ),
    "gRPC score": (rpc(NEXTCHAR + "Score", OK), {("score", "grpc", "success"): 1}),
    "gRPC unknown field": (rpc(NEXTCHAR + "Score", OK + b"\x88\x3f\x01"), {("score", "grpc", "invalid"): 1}),
    "gRPC no protobuf": (rpc(NEXTCHAR + "Score", b"\n\x01\x10T{"), {("score", "grpc", "invalid"): 1}),
    "gRPC invalid": (rpc(NEXTCHAR + "Score", b""), {("score", "grpc", "invalid"): 1}),
    "gRPC oversize": (rpc(NEXTCHAR + "Score", bytes(MAX_BYTES + 1)), {("score", "grpc", "invalid"): 1}),
    "gRPC far oversize": (
        rpc(NEXTCHAR + "Score", bytes(4 * MAX_BYTES + 1)),
        {("score", "grpc", "cancelled"): 1},  # gRPC ends it, and does not say why
    ),
    "gRPC deadline": (rpc(NEXTCHAR + "Score", LATE), {("score", "grpc", "timeout"): 1}),
    "gRPC unimplemented": (rpc("/none.None/None", OK), {("other", "grpc", "invalid"): 1}),
    "gRPC limits": (rpc(NEXTCHAR + "Limits", b""), {("info", "grpc", "success"): 1}),
    "gRPC reflection": (rpc(REFLECTION, b""), {("info", "grpc", "success"): 1}),
    "gRPC stream": (
        rpc(NEXTCHAR + "ScoreStream", OK, pb.ScoreRequest(input=["b"]).SerializeToString()),
        {("score", "grpc", "success"): 2},
    ),
    "gRPC stream of nothing": (rpc(NEXTCHAR + "ScoreStream"), {("score", "grpc", "success"): 1}),
    "gRPC stream with a wrong message": (
        rpc(NEXTCHAR + "ScoreStream", OK, OK),
        {("score", "grpc", "success"): 1, ("score", "grpc", "invalid"): 1},
    ),
    "gRPC stream with a damaged message": (
        rpc(NEXTCHAR + "ScoreStream", OK, b"\n\x01\x10T{"),
        {("score", "grpc", "success"): 1, ("score", "grpc", "invalid"): 1},
    ),
    "gRPC stream with an oversize message": (
        rpc(NEXTCHAR + "ScoreStream", OK, bytes(MAX_BYTES + 1)),
        {("score", "grpc", "success"): 1, ("score", "grpc", "invalid"): 1},
    ),
    "gRPC conversation": (rpc(SESSIONS + "Converse", CREATE, FEED), {("session", "grpc", "success"): 2}),
    "gRPC conversation that does not begin": (
        rpc(SESSIONS + "Converse", FEED),
        {("session", "grpc", "invalid"): 1},
    ),
}


@pytest.fixture(scope="module")
def plain(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_body_bytes=MAX_BYTES) as running:
        yield running


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_counted_once_where_it_belongs(plain: LiveServer, name: str) -> None:
    before = counted(plain)
    call, more = CALLS[name]
    call(plain)
    is_counted(plain, before, Counter(more))


def test_all_of_them_at_once_are_counted_to_the_call(plain: LiveServer) -> None:
    before, more = counted(plain), Counter[Series]()
    for _, expected in CALLS.values():
        more.update(Counter(expected))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda call: call[0](plain), [*CALLS.values()] * 2))
    is_counted(plain, before, Counter({series: 2 * count for series, count in more.items()}))
    assert plain.metric("nextchar_requests_in_progress") == 0


def test_what_keys_refuse_is_counted(models: Path, tmp_path: Path) -> None:
    poor, poor_record = make_key("ann", [Scope.METRICS])
    slow, slow_record = make_key("ann", [Scope.INFER], requests_per_second=1e-6)
    file = tmp_path / "keys"
    file.write_text(f"{poor_record.line}\n{slow_record.line}\n")
    file.chmod(0o600)
    more: Counter[Series] = Counter()
    with live_server(models, api_keys_file=file) as server:
        for key, outcomes in (("", ["invalid"]), (poor, ["invalid"]), (slow, ["success", "rejected"])):
            for outcome in outcomes:
                post(headers={"X-API-Key": key})(server)
                more["score", "rest", outcome] += 1
        for key, outcome in (("no key", "invalid"), (poor, "invalid"), (slow, "rejected")):
            rpc(NEXTCHAR + "Score", OK, x_api_key=key)(server)
            more["score", "grpc", outcome] += 1
        get("/none", headers={"X-API-Key": poor})(server)
        rpc("/none.None/None", OK, x_api_key=poor)(server)
        more.update({("other", "rest", "invalid"): 1, ("other", "grpc", "invalid"): 1})
        is_counted(server, Counter(), more)


def test_what_finds_no_connection_is_counted(models: Path) -> None:
    with (
        live_server(models, max_connections=1) as server,
        socket.create_connection(("127.0.0.1", server.app.http_port)) as first,
    ):
        first.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first.recv(100)
        assert get("/v1/models")(server) is None
        is_counted(
            server, Counter(), Counter({("info", "rest", "success"): 1, ("other", "rest", "rejected"): 1})
        )


@pytest.fixture
def narrow(models: Path) -> Iterator[LiveServer]:
    """A server with little room; it has started before a gate holds its engines."""
    room = {"max_waiting": 2, "max_lanes": 1, "reserved_lanes": 1, "engine_threads": 1}
    with live_server(models, grpc_max_calls=3, **room) as running:
        yield running


def test_what_is_in_progress_is_what_is_missing(narrow: LiveServer, gate: Gate) -> None:
    """A full queue, too many calls, clients that leave and a drain beside calls that wait."""
    server, body = narrow, {"model": "tiny", "max_tokens": 5, "prompt": "a"}
    with (
        grpc.insecure_channel(server.grpc_address) as channel,
        ThreadPoolExecutor(8) as pool,
    ):
        stub, sent = stubs.NextcharStub(channel), 0

        def in_progress() -> int:
            return int(server.metric("nextchar_requests_in_progress"))

        with socket.create_connection(("127.0.0.1", server.app.http_port)) as gone:
            gone.sendall(_posted(b'{"model":"tiny","input":["a"]}'))
            sent += 1
            until(lambda: counted(server).total() + in_progress() == sent)
        until(lambda: counted(server)["score", "rest", "cancelled"] == 1)
        waiting = [pool.submit(server.post, "/v1/completions", body) for _ in range(8)]
        sent += len(waiting)
        until(lambda: counted(server).total() + in_progress() == sent)
        calls = [stub.Next.future(pb.NextRequest(model="tiny", input="a"), timeout=60) for _ in range(3)]
        sent += 3
        until(lambda: counted(server).total() + in_progress() == sent)
        with pytest.raises(grpc.RpcError):
            stub.Next(pb.NextRequest(model="tiny", input="a"), timeout=60)  # one call too many
        sent += 1
        until(lambda: counted(server).total() + in_progress() == sent)
        calls[0].cancel()
        until(lambda: counted(server)["next", "grpc", "cancelled"] == 1)
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        server.loop.call_soon_threadsafe(server.app.service.lifecycle.drain, 0.0)
        until(lambda: not server.app.service.lifecycle.ready)
        assert server.post("/v1/score", SCORE).status_code == 503
        sent += 1
        gate.open()
        assert all(each.result().status_code in (200, 429) for each in waiting)
        until(lambda: counted(server).total() == sent)
        assert in_progress() == 0
        found = counted(server)
        assert found["next", "grpc", "rejected"] >= 1
        assert found["score", "rest", "rejected"] == 1  # by the drain
        assert found["complete", "rest", "rejected"] >= 1  # by the queue


def _posted(body: bytes) -> bytes:
    lines = (
        "POST /v1/score HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
