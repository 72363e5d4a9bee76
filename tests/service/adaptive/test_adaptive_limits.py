"""The bounds of adaptive texts: of their window, of what learns at a time, and of what their states take."""

import re
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.engine_lanes import Gate
from support.in_process import InProcess, Sessions, context, in_process
from support.live_server import live_server
from support.tensors_in_process import request as tensors
from support.tensors_in_process import text as text_tensor
from support.waiting import until

from nextchar.engine.engine import Engine
from nextchar.engine.options import MAX_STEPS, EngineOptions
from nextchar.engine.work import Work
from nextchar.entrypoints.settings import Settings
from nextchar.errors import InvalidRequest
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.limits import Limits
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import CreateSessionRequest
from nextchar.service.service import Service
from nextchar.service.sessions.stores.memory import MemoryStore

Call = Callable[[Service, Any], Coroutine[Any, Any, Any]]
_LIMIT = 2048
CALLS: dict[str, Call] = {
    "score": lambda service, adaptive: service.scorer.score(
        ScoreRequest(model="tiny", input=["ab"], adaptive=adaptive), context()
    ),
    "next": lambda service, adaptive: service.predictor.next(
        NextRequest(model="tiny", input="ab", adaptive=adaptive), context()
    ),
    "complete": lambda service, adaptive: service.completer.complete(
        CompletionRequest(model="tiny", prompt="ab", max_tokens=2, adaptive=adaptive), context()
    ),
    "complete with a state": lambda service, adaptive: service.completer.complete(
        CompletionRequest(model="tiny", prompt="ab", max_tokens=2, return_state=True, adaptive=adaptive),
        context(),
    ),
    "compare": lambda service, adaptive: service.comparer.compare(
        CompareRequest(model="tiny", input=["ab"], adaptive=adaptive), context()
    ),
    "session": lambda service, adaptive: service.sessions.create(
        CreateSessionRequest(model="tiny", adaptive=adaptive), context()
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_window_above_the_limit_is_refused_by_name(models: Path, call: Call) -> None:
    with in_process(models, limits=Limits(max_adaptive_window=_LIMIT)) as made:
        for adaptive in (True, {"orders": [1]}, {"window": _LIMIT}):
            made.run(call(made.service, adaptive))
        with pytest.raises(InvalidRequest) as caught:
            made.run(call(made.service, {"window": 2 * _LIMIT}))
        assert caught.value.param == "adaptive.window"
        assert caught.value.message == (
            "adaptive.window is 4096, the limit is 2048 (max_adaptive_window): ask for a shorter one"
        )
        assert made.service.limits_report.limits().request.max_adaptive_window == _LIMIT


def _refused(made: InProcess, work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(InvalidRequest, match="turned off on this server") as caught:
        made.run(work)
    assert caught.value.param == "adaptive"


def test_a_server_may_learn_no_text(models: Path) -> None:
    with in_process(models, limits=Limits(max_adaptive_window=0)) as made:
        for call in CALLS.values():
            made.run(call(made.service, None))
            _refused(made, call(made.service, True))
        begins = tensors(text_tensor(b"ab"), sequence_id=1, sequence_start=True, adaptive=True)
        _refused(made, made.service.tensor_inference.infer(begins, context("infer")))


@pytest.mark.parametrize(
    "call",
    [
        lambda service, text: service.comparer.compare(
            CompareRequest(model="tiny", input=[text], context="abcd", adaptive=True), context()
        ),
        lambda service, text: service.scorer.score(
            ScoreRequest(model="tiny", input=[text], context="abcd", return_state=True), context()
        ),
        lambda service, text: service.scorer.score(
            ScoreRequest(model="tiny", input=[text], context="abcd", adaptive=True), context()
        ),
    ],
    ids=["compare", "score with a state", "score"],
)
def test_a_context_counts_and_is_not_read_for_a_request_that_is_refused(
    models: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    submitted: list[Sequence[Work]] = []
    submit = Engine.submit

    def counted(engine: Engine, works: Sequence[Work]) -> None:
        submitted.append(works)
        submit(engine, works)

    monkeypatch.setattr(Engine, "submit", counted)
    with in_process(models, limits=Limits(max_request_chars=6, strict_characters=True)) as made:
        for text, message in (("abc", "has 7 characters in all, the limit is 6"), ("\N{SNOWMAN}", "U+2603")):
            with pytest.raises(InvalidRequest, match=re.escape(message)):
                made.run(call(made.service, text))
        assert submitted == []
        made.run(call(made.service, "ab"))
        assert submitted


def test_a_window_that_is_left_out_is_no_longer_than_the_limit(models: Path) -> None:
    store = MemoryStore()
    with in_process(models, limits=Limits(max_adaptive_window=_LIMIT), store=store) as made:
        sessions = Sessions(made, store)
        info = sessions.create(adaptive={"learn_drawn": False}).adaptive
        assert info is not None
        assert (info.window, info.learn_drawn) == (_LIMIT, False)
        request = NextRequest(model="tiny", input="ab", return_state=True, adaptive={"learn_drawn": False})
        state = made.run(made.service.predictor.next(request, context())).state
        again = NextRequest(model="tiny", input="ab", state=state, adaptive={"learn_drawn": False})
        assert made.run(made.service.predictor.next(again, context())).data[0].model_logprob is not None


def test_the_bounds_of_settings_are_those_of_the_parts() -> None:
    settings = Settings()
    (most,) = (field.default for field in fields(EngineOptions) if field.name == "max_table_bytes")
    assert settings.max_adaptive_table_bytes == most
    assert settings.max_adaptive_window == Limits().max_adaptive_window


def test_what_finds_no_room_for_its_tables_waits_and_plain_requests_pass_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two completions that may become long take all tables that there are."""
    with live_server(models, engine_threads=1, max_adaptive_table_bytes=4 << 20) as server:
        gate, leaves = Gate(monkeypatch), threading.Event()

        def draw() -> None:
            body = {"model": "tiny", "max_tokens": 16_384, "n": 2, "adaptive": True, "stream": True}
            with server.stream("/v1/completions", body) as answer:
                assert answer.is_success
                assert leaves.wait(60)

        def ask(adaptive: bool) -> list[dict[str, Any]]:
            body = {"model": "tiny", "input": "ab", "adaptive": adaptive}
            found: list[dict[str, Any]] = server.post("/v1/next", body).json()["data"]
            return found

        def value(name: str) -> float:
            return server.metric(f"nextchar_{name}", model="tiny")

        with ThreadPoolExecutor() as threads:
            try:
                drawing = threads.submit(draw)
                gate.reached()
                learned, plain = threads.submit(ask, True), threads.submit(ask, False)
                until(lambda: value("queue_depth") == 2)
                gate.let()
                until(lambda: gate.let_blocked() or plain.done())
                assert "model_logprob" not in plain.result()[0]
                assert not learned.done()
                assert (value("queue_depth"), value("adaptive_lanes")) == (1, 2)
                assert 0 < value("adaptive_table_bytes") <= value("adaptive_table_limit_bytes") == 4 << 20
            finally:
                leaves.set()
                gate.open()
            drawing.result()
            assert "model_logprob" in learned.result()[0]
            until(lambda: value("adaptive_lanes") == 0)
            assert value("adaptive_table_bytes") == 0


def test_a_plain_request_waits_for_one_call_of_those_that_learn(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the texts are that are learned meanwhile."""
    with live_server(models, engine_threads=1) as server:
        gate, body = Gate(monkeypatch), {"model": "tiny", "input": ["ab" * 200], "adaptive": True}
        with ThreadPoolExecutor() as threads:
            try:
                learning = [threads.submit(server.post, "/v1/score", body)]
                gate.reached()  # its call is blocked, and the others find it running
                learning += [threads.submit(server.post, "/v1/score", body) for _ in range(3)]
                until(lambda: server.metric("nextchar_queue_depth") == len(learning) - 1)
                plain = threads.submit(server.post, "/v1/next", {"model": "tiny", "input": "ab"})
                until(lambda: server.metric("nextchar_queue_depth") == len(learning))
                gate.let_and_reach(MAX_STEPS + len("ab") + 1)
                assert plain.result(timeout=60).is_success
                assert not any(text.done() for text in learning)
            finally:
                gate.open()
            assert all(text.result().is_success for text in learning)
