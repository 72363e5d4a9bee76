"""A server that drains tells when to come again by what it still has to do, the same over both protocols."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from engine.estimates.engine_clocks import StepClock
from support.engine_lanes import Gate
from support.live_server import LiveServer, live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.service import lifecycle

DRAIN_SECONDS = 9
STEP_SECONDS = 0.05  # more than a call of several steps may take
LONG = {"model": "tiny", "prompt": "", "max_tokens": 16_384, "seed": 1, "stream": True}


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Holds engines whose steps take 50 milliseconds each; the rest of a draining server takes no time."""
    monkeypatch.setattr(lifecycle, "time", SimpleNamespace(monotonic=lambda: 100.0))
    StepClock(monkeypatch, STEP_SECONDS)
    made = Gate(monkeypatch)
    yield made
    made.open()


@pytest.fixture
def server(models: Path) -> Iterator[LiveServer]:
    with live_server(models, shutdown_timeout_seconds=0) as running:
        yield running


@contextmanager
def at_work(server: LiveServer, gate: Gate, num_steps: int) -> Iterator[None]:
    """A stream that runs for as long as the context lasts, and has come so far."""
    gate.let()
    with server.stream("/v1/completions", LONG):
        gate.reached()
        gate.reached()
        gate.let_and_reach(num_steps - 1)
        yield


def drain(server: LiveServer, seconds: float) -> None:
    server.loop.call_soon_threadsafe(server.app.service.lifecycle.drain, seconds)
    until(lambda: not server.app.service.lifecycle.ready)


def told_by_rest(server: LiveServer, path: str, body: dict) -> int:
    answer = server.post(path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
    seconds, milliseconds = (int(answer.headers[name]) for name in ("Retry-After", "Retry-After-Ms"))
    assert seconds == round(milliseconds / 1000)
    return seconds


def told_by_grpc(call: Callable[[], object]) -> int:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    code, _, seconds = details(caught.value)
    assert (code, seconds is None) == ("draining", False)
    return seconds or 0


def told(server: LiveServer) -> list[int]:
    """The seconds that each protocol returns, for requests and for sessions."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        sessions = nextchar_pb2_grpc.SessionsStub(channel)
        return [
            told_by_rest(server, "/v1/score", {"model": "tiny", "input": ["a"]}),
            told_by_rest(server, "/v1/sessions", {"model": "tiny"}),
            told_by_grpc(lambda: stub.Score(pb.ScoreRequest(model="tiny", input=["a"]))),
            told_by_grpc(lambda: sessions.Create(pb.CreateSessionRequest(model="tiny"))),
            told_by_grpc(lambda: list(sessions.Converse(iter([pb.SessionCall(create={"model": "tiny"})])))),
        ]


def test_work_that_would_outlast_the_drain_ends_with_it(server: LiveServer, gate: Gate) -> None:
    with at_work(server, gate, 10):
        drain(server, DRAIN_SECONDS)
        assert told(server) == [DRAIN_SECONDS] * 5
        gate.open()


def test_who_has_work_is_gone_when_it_is_done(server: LiveServer, gate: Gate) -> None:
    with at_work(server, gate, 384):
        drain(server, 1000)
        assert told(server) == [round((16_384 - 384) * STEP_SECONDS)] * 5
        gate.open()


def test_who_has_nothing_left_to_do_is_gone_in_a_second(server: LiveServer) -> None:
    drain(server, DRAIN_SECONDS)
    assert told(server) == [1] * 5
