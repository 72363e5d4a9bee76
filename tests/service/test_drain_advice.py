"""A server that drains tells when to come again by what it still has to do, the same over both protocols."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from support.grpc_errors import details
from support.live_server import LiveServer, live_server

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

DRAIN_SECONDS = 9
# At fifty thousand characters a second, a minute of work.
LONG = {"model": "tiny", "prompt": "", "max_tokens": 3_000_000, "seed": 1, "stream": True}
LIMITS = {"max_tokens": 3_000_000, "max_request_chars": 3_000_000}


@pytest.fixture
def server(models: Path) -> Iterator[LiveServer]:
    with live_server(models, **LIMITS, shutdown_timeout_seconds=0) as running:
        yield running


@contextmanager
def at_work(server: LiveServer) -> Iterator[None]:
    """A stream that runs for as long as the context lasts."""
    with httpx.stream("POST", server.url + "/v1/completions", json=LONG, timeout=60) as answer:
        lines = answer.iter_lines()
        while "data" not in next(lines):
            pass
        yield


def drain(server: LiveServer) -> None:
    server.loop.call_soon_threadsafe(server.app.service.lifecycle.drain, DRAIN_SECONDS)
    while server.app.service.lifecycle.ready:
        pass


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


def test_work_that_would_outlast_the_drain_ends_with_it(server: LiveServer) -> None:
    with at_work(server):
        drain(server)
        assert all(DRAIN_SECONDS // 2 < seconds <= DRAIN_SECONDS for seconds in told(server))


def test_who_has_nothing_left_to_do_is_gone_in_a_second(server: LiveServer) -> None:
    drain(server)
    assert told(server) == [1] * 5
