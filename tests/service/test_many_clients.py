"""Clients that leave, run out of time or come too many at once; many streams at the same time."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from engine.estimates.engine_clocks import Clock
from support.engine_lanes import Gate
from support.live_server import TLS, LiveServer, live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.model.step_runner import StepRunner
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

NUM_STREAMS = 64
_SECONDS = 30
LONG = {"model": "tiny", "prompt": "", "max_tokens": 16_384, "seed": 1}


def body(seed: int) -> dict:
    return {
        "model": ("tiny", "lines", "refusing")[seed % 3],
        "prompt": "abc " * (seed % 5),
        "max_tokens": 20 + seed % 7 * 20,
        "temperature": (1.0, 0.7, 0.0, 1.3)[seed % 4],
        "top_k": (0, 8)[seed % 2],
        "seed": seed,
        "stop": ["zq"] if seed % 3 else [],
    }


async def stream_text(client: httpx.AsyncClient, url: str, fields: dict) -> str:
    text = ""
    async with client.stream("POST", url + "/v1/completions", json={**fields, "stream": True}) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                text += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
    return text


async def rest_texts(url: str, seeds: list[int], at_once: int) -> list[str]:
    gate = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once + 1)
    async with httpx.AsyncClient(timeout=60, limits=limits, verify=TLS) as client:

        async def one(seed: int) -> str:
            async with gate:
                return await stream_text(client, url, body(seed))

        return await asyncio.gather(*(one(seed) for seed in seeds))


async def grpc_texts(address: str, seeds: list[int]) -> list[str]:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)

        async def one(seed: int) -> str:
            pieces = stub.Complete(pb.CompletionRequest(**body(seed)))
            return "".join([piece.choices[0].text async for piece in pieces])

        return await asyncio.gather(*(one(seed) for seed in seeds))


def test_64_streams_at_once_give_the_texts_of_one_by_one(server: LiveServer) -> None:
    seeds = list(range(NUM_STREAMS))
    alone = asyncio.run(rest_texts(server.url, seeds, at_once=1))
    scoring = {"model": "tiny", "input": ["abc " * 100] * 200}

    def bulk() -> None:
        assert server.post("/v1/score", scoring).status_code == 200

    thread = threading.Thread(target=bulk)
    thread.start()
    together = asyncio.run(rest_texts(server.url, seeds, at_once=NUM_STREAMS))
    thread.join()
    assert together == alone
    assert asyncio.run(grpc_texts(server.grpc_address, seeds)) == alone
    assert len(set(alone)) > NUM_STREAMS // 2


# No prefix is shared; more than a call of the graph reads.
STRINGS = [f"{chr(97 + i)}bc" * 133 for i in range(8)]


def cancelled(server: LiveServer, protocol: str) -> float:
    return server.metric("nextchar_requests_total", outcome="cancelled", protocol=protocol)


def posted(server: LiveServer, path: str, fields: dict) -> socket.socket:
    """Sends a request over a connection of its own."""
    content = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    connection = socket.create_connection(("127.0.0.1", server.app.http_port), timeout=_SECONDS)
    connection.sendall(head + content)
    return connection


def frees_its_rows(server: LiveServer, gate: Gate) -> None:
    """The call that runs may end; before the next one the rows are free."""
    assert not server.is_idle()
    gate.let()
    until(server.is_idle)


def test_a_stream_whose_client_leaves_frees_its_lane(server: LiveServer, gate: Gate) -> None:
    before = cancelled(server, "rest")
    with posted(server, "/v1/completions", {**LONG, "stream": True}) as connection:
        gate.let()
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        gate.reached()
        gate.reached()
    until(lambda: cancelled(server, "rest") == before + 1)
    frees_its_rows(server, gate)


def test_a_request_whose_client_leaves_frees_its_lanes(server: LiveServer, gate: Gate) -> None:
    before = cancelled(server, "rest")
    with posted(server, "/v1/score", {"model": "tiny", "input": STRINGS}):
        gate.reached()
    until(lambda: cancelled(server, "rest") == before + 1)
    frees_its_rows(server, gate)


@pytest.mark.parametrize("path", ["/v1/score", "/v1/completions"])
def test_who_leaves_in_the_middle_of_a_body_is_no_bug_of_ours(
    server: LiveServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = cancelled(server, "rest")
    with socket.create_connection(("127.0.0.1", server.app.http_port), timeout=30) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode()
        )
    until(lambda: cancelled(server, "rest") == before + 1)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_cancelled_grpc_call_frees_its_lane(server: LiveServer, gate: Gate) -> None:
    before = cancelled(server, "grpc")
    with server.stub() as stub:
        call = stub.Complete(pb.CompletionRequest(**LONG))
        gate.let()
        next(call)
        gate.reached()
        gate.reached()
        call.cancel()
        until(lambda: cancelled(server, "grpc") == before + 1)
    frees_its_rows(server, gate)


def test_a_grpc_deadline_ends_the_call_and_frees_its_lanes(server: LiveServer, gate: Gate) -> None:
    for seconds in (0.2, 2, 20):  # more where the work had not begun when the time was up
        ended = server.metric("nextchar_requests_total", protocol="grpc")
        with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
            stub.Score(pb.ScoreRequest(model="tiny", input=STRINGS), timeout=seconds)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if not server.is_idle():
            break
    until(lambda: server.metric("nextchar_requests_total", protocol="grpc") == ended + 1)
    frees_its_rows(server, gate)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> Callable[[], None]:
    """Puts the clock of the engines past the deadline of the work that runs, once it does."""
    clock = Clock(monkeypatch)

    def pass_by() -> None:
        gate.reached()
        clock.jump()
        gate.open()

    return pass_by


def test_a_request_past_the_servers_time_limit_is_told_so(
    server: LiveServer, late: Callable[[], None]
) -> None:
    before = server.metric("nextchar_requests_total", outcome="timeout")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.post, "/v1/completions", LONG)
        late()
    error = asked.result().json()["error"]
    assert asked.result().status_code == 504
    assert (error["type"], error["code"]) == ("timeout_error", "deadline_exceeded")
    assert server.metric("nextchar_requests_total", outcome="timeout") == before + 1


def test_a_grpc_call_past_the_servers_time_limit_is_told_so(
    server: LiveServer, late: Callable[[], None]
) -> None:
    with server.stub() as stub:
        asked = stub.Score.future(pb.ScoreRequest(model="tiny", input=STRINGS))
        late()
        error = asked.exception()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert details(error)[0] == "deadline_exceeded"


@pytest.fixture
def narrow(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_lanes=1, reserved_lanes=0, max_waiting=1) as running:
        yield running


def test_a_full_queue_says_when_to_come_again(narrow: LiveServer) -> None:
    answer = narrow.post("/v1/score", {"model": "tiny", "input": ["a", "b"]})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
    assert "the limit is 1" in error["message"]
    with narrow.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.Score(pb.ScoreRequest(model="tiny", input=["a", "b"]))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(caught.value) == ("queue_full", None, 1)
    assert narrow.metric("nextchar_requests_total", outcome="rejected") == 2
    assert narrow.post("/v1/score", {"model": "tiny", "input": ["a"]}).status_code == 200


def test_a_failing_engine_is_told_to_everybody_and_makes_the_server_unready(
    models: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_server(models) as server:
        step, calls = StepRunner.step, 0

        def failing(runner: StepRunner, n: int, num_steps: int = 1, **how: bool) -> None:
            nonlocal calls
            calls += 1
            if calls == 100:
                raise RuntimeError("secret cause")
            step(runner, n, num_steps, **how)

        monkeypatch.setattr(StepRunner, "step", failing)
        request = {**LONG, "stream": True}
        with server.stream("/v1/completions", request) as answer:
            lines = [line for line in answer.iter_lines() if line]
        last = json.loads(lines[-1].removeprefix("data: "))
        assert last["error"]["code"] == "server_error"
        assert "secret" not in "".join(lines)
        ready = server.get("/v2/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "ready": False})
        assert server.get("/v2/health/live").status_code == 200
        refused = server.post("/v1/completions", LONG)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "model_not_ready"
        assert server.metric("nextchar_model_ready", model="tiny") == 0
        assert server.metric("nextchar_requests_total", outcome="error") == 1
        assert server.post("/v1/score", {"model": "lines", "input": ["a"]}).status_code == 200
        with grpc.insecure_channel(server.grpc_address) as channel:
            watch_until_not_serving(channel)
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
    assert "secret cause" in caplog.text


def watch_until_not_serving(channel: grpc.Channel) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
    for answer in watching:
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            return
    raise AssertionError("the watch ended")


def test_a_slow_reader_does_not_hold_up_the_others(server: LiveServer) -> None:
    with posted(server, "/v1/completions", {**LONG, "stream": True, "logprobs": 20}) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for seed in range(5):
            assert server.post("/v1/completions", {**body(seed)}).status_code == 200
        assert server.metric("nextchar_requests_in_progress", route="complete") == 1
    until(server.is_idle)
