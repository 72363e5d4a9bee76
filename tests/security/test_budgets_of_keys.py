"""What a request may say of its time and place, and what its key may use up: over REST and gRPC alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from support.engine_lanes import Gate
from support.live_server import LiveServer, live_server
from support.rpc_answers import details

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs
from nextchar.schemas.score import ScoreRequest
from nextchar.security.api_keys import make_key
from nextchar.security.principal import ANONYMOUS, PRINCIPAL, Principal, Scope
from nextchar.telemetry.request_context import RequestContext, make_context

SCORE = {"model": "tiny", "input": ["abc"]}
LONG = {"model": "tiny", "max_tokens": 16_384, "seed": 1}
KEYS = {
    "one lane": {"max_lanes": 1},
    "slow": {"requests_per_second": 0.02},
    "few chars": {"chars_per_second": 0.02},
    "default": {},
}
Limited = tuple[LiveServer, dict[str, str]]


@pytest.fixture(scope="module")
def limited(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    path, keys, lines = tmp_path_factory.mktemp("keys") / "keys", {}, []
    for name, fields in KEYS.items():
        keys[name], record = make_key("me", [Scope.INFER], **fields)
        lines.append(record.line)
    path.write_text("\n".join(lines))
    with live_server(models, api_keys_file=path, max_lanes_per_key=2, engine_threads=1) as server:
        yield server, keys


def ask(limited: Limited, key: str, path: str, body: dict[str, Any]) -> httpx.Response:
    server, keys = limited
    return server.post(path, body, headers={"X-API-Key": keys[key]})


def check_limited(answer: httpx.Response, told: str) -> None:
    assert answer.status_code == 429, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit")
    assert told in error["message"]
    seconds, milliseconds = int(answer.headers["retry-after"]), int(answer.headers["retry-after-ms"])
    assert seconds == max(1, round(milliseconds / 1000))


def test_a_key_has_as_many_lanes_as_it_may(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    server, keys = limited
    gate = Gate(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, limited, "one lane", "/v1/score", SCORE)
        gate.reached()
        check_limited(ask(limited, "one lane", "/v1/score", SCORE), "1 lanes at a time")
        metadata = (("x-api-key", keys["one lane"]),)
        with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
            stubs.NextcharStub(channel).Score(pb.ScoreRequest(**SCORE), metadata=metadata)
        gate.open()
        assert running.result().status_code == 200
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(caught.value)[0] == "rate_limit"
    assert ask(limited, "one lane", "/v1/score", SCORE).status_code == 200


def test_a_key_has_its_requests_a_second(limited: Limited) -> None:
    assert ask(limited, "slow", "/v1/score", SCORE).status_code == 200
    answer = ask(limited, "slow", "/v1/score", SCORE)
    check_limited(answer, "0.02 requests per second")
    assert 45 <= int(answer.headers["retry-after"]) <= 50
    check_limited(ask(limited, "slow", "/v1/chat/completions", {}), "0.02 requests per second")  # no route


def test_a_key_has_its_characters_a_second(limited: Limited) -> None:
    assert ask(limited, "few chars", "/v1/score", SCORE).status_code == 200
    answer = ask(limited, "few chars", "/v1/completions", {"model": "tiny", "max_tokens": 5})
    check_limited(answer, "0.02 characters per second")
    assert 140 <= int(answer.headers["retry-after"]) <= 150


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/score"])
def test_a_request_has_the_time_it_asks_for(server: LiveServer, path: str) -> None:
    strings = [f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" * 133 for i in range(2000)]
    body = LONG if path == "/v1/completions" else {"model": "tiny", "input": strings}
    answer = server.post(path, {**body, "timeout": 0.005})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "deadline_exceeded"


@pytest.mark.parametrize(
    ("field", "value"), [("timeout", 0), ("timeout", -1), ("priority", 101), ("priority", 0.5)]
)
def test_bad_times_and_priorities_are_refused(server: LiveServer, field: str, value: float) -> None:
    answer = server.post("/v1/score", {**SCORE, field: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


def test_a_key_goes_before_others_only_as_far_as_it_may() -> None:
    request = ScoreRequest(model="tiny", input=["a"], priority=-5, timeout=2.0)
    key = Principal("k", "me", frozenset(Scope), ANONYMOUS.budget, best_priority=0)
    for principal, priority in ((ANONYMOUS, -5), (key, 0)):
        token = PRINCIPAL.set(principal)
        ctx = make_context("score", "rest", request, request_id="id", max_seconds=60.0)
        PRINCIPAL.reset(token)
        assert ctx.priority == priority
        assert ctx.deadline == ctx.started + 2.0


@pytest.mark.parametrize(("best", "priority"), [(-5, 0), (0, 0), (20, 20)])
def test_the_priority_of_a_request_that_has_none_is_no_better_than_its_key_s(
    best: int, priority: int
) -> None:
    key = Principal("k", "me", frozenset(Scope), ANONYMOUS.budget, best_priority=best)
    ctx = RequestContext("session", "grpc", float("inf"), "id", principal=key)
    assert ctx.priority == priority


def test_grpc_has_priorities_too(server: LiveServer) -> None:
    with server.stub() as stub:
        assert stub.Score(pb.ScoreRequest(**SCORE, priority=7)).data
        with pytest.raises(grpc.RpcError) as caught:
            stub.Score(pb.ScoreRequest(**SCORE, priority=101))
    assert details(caught.value)[:2] == ("invalid_value", "priority")


def test_a_lenient_server_passes_over_fields_it_does_not_know(models: Path) -> None:
    with live_server(models, lenient_fields=True) as server:
        body = {"model": "tiny", "max_tokens": 3, "best": 1, "stream_options": {"x": 1}}
        assert server.post("/v1/completions", body).status_code == 200
        wrong = server.post("/v1/completions", {**body, "max_tokens": "3"})
        assert wrong.json()["error"]["param"] == "max_tokens"
