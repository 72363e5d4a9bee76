"""How often one request of a session goes to the engine and to the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.live_server import LiveServer
from support.session_client import Session
from support.session_stores import CountingStore

from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane
from nextchar.engine.work import Outbox, Work
from nextchar.model.step_runner import StepRunner
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import REWIND_CHARS

_TEXT = "the quick brown fox jumps over a lazy dog. " * 20


@dataclass
class Trips:
    """What was submitted to engines, one list per submission, and the calls of the store."""

    store: CountingStore
    submissions: list[list[Work]] = field(default_factory=list)

    def clear(self) -> None:
        self.submissions.clear()
        self.store.calls.clear()


@pytest.fixture
def trips(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Trips:
    observed = server.app.service.session_manager._store
    counted = Trips(CountingStore(observed._store))
    submit = Engine.submit

    def counted_submit(engine: Engine, works: Sequence[Work]) -> None:
        counted.submissions.append(list(works))
        submit(engine, works)

    monkeypatch.setattr(Engine, "submit", counted_submit)
    monkeypatch.setattr(observed, "_store", counted.store)
    return counted


def _tidied(calls: list[str]) -> list[str]:
    """Without the calls of the background task."""
    return [name for name in calls if name not in ("tidy", "time", "count")]


@pytest.mark.parametrize("fields", [{"return": "last"}, {"return": "last", "top": 1}, {"return": "none"}])
def test_a_feed_is_one_lane_and_one_replace(
    server: LiveServer, trips: Trips, fields: dict[str, object]
) -> None:
    session = Session.create(server, prime="abc")
    for text in ("d", "hello ", _TEXT[:REWIND_CHARS]):
        trips.clear()
        session.do("feed", text=text, **fields)
        ((lane,),) = trips.submissions
        assert isinstance(lane, Lane)
        assert (lane.keeps_state, lane.wants_distribution) == (True, fields["return"] == "last")
        assert _tidied(trips.store.calls) == ["replace"]


def test_a_session_that_was_saved_here_last_is_not_unsealed(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsealed = []
    unseal = StateCodec.open

    def counted(codec: StateCodec, sealed: bytes, **of: Any) -> SessionState:
        unsealed.append(sealed)
        return unseal(codec, sealed, **of)

    monkeypatch.setattr(StateCodec, "open", counted)
    session = Session.create(server, prime="abc")
    session.do("feed", text="d")
    session.do("sample", max_tokens=3)
    session.next()
    assert unsealed == []
    sealed = session.state()
    session.do("feed", text="e")
    assert session.put_state(sealed).status_code == 200
    assert unsealed == [sealed]  # by the import; the session is fed from there
    assert session.do("feed", text="f")["position"] == 8
    assert len(unsealed) == 1


def test_each_character_with_its_distribution_is_one_lane(server: LiveServer, trips: Trips) -> None:
    for adaptive in (False, True):
        session = Session.create(server, adaptive=adaptive)
        trips.clear()
        session.do("feed", text="hello", **{"return": "each"})
        assert [len(works) for works in trips.submissions] == [1]
        assert _tidied(trips.store.calls) == ["replace"]


def test_a_step_of_a_sequence_is_one_lane_and_one_replace(server: LiveServer, trips: Trips) -> None:
    _infer(server, sequence_start=True)
    trips.clear()
    _infer(server)
    assert [len(works) for works in trips.submissions] == [1]
    assert _tidied(trips.store.calls) == ["replace"]
    _infer(server, sequence_end=True)


@dataclass
class Hops:
    """What went from the event loop to engines and back, and the steps of the graph between."""

    there: int = 0
    back: int = 0
    num_steps: int = 0


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Hops:
    counted = Hops()
    submit, send, step = Engine.submit, Engine._send, StepRunner.step

    def counted_submit(engine: Engine, works: Sequence[Work]) -> None:
        counted.there += 1
        submit(engine, works)

    def counted_send(engine: Engine, outbox: Outbox) -> None:
        counted.back += bool(outbox)
        send(engine, outbox)

    def counted_step(runner: StepRunner, n: int, num_steps: int = 1, **options: bool) -> None:
        counted.num_steps += num_steps
        step(runner, n, num_steps, **options)

    monkeypatch.setattr(Engine, "submit", counted_submit)
    monkeypatch.setattr(Engine, "_send", counted_send)
    monkeypatch.setattr(StepRunner, "step", counted_step)
    return counted


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_live_call_is_one_hop_to_the_engine_and_one_back(
    server: LiveServer, hops: Hops, adaptive: bool
) -> None:
    session = Session.create(server, prime="abc", adaptive=adaptive)
    live: list[Callable[[], Any]] = [
        lambda: server.post("/v1/next", {"model": "tiny", "input": "a"}),
        lambda: session.do("feed", text="a"),
        lambda: session.do("feed", text="a"),
        lambda: session.do("feed", text="a", **{"return": "none"}),
        lambda: session.do("feed", text="hello", **{"return": "each"}),
        lambda: session.do("next"),
        lambda: server.post("/v1/inspect", {"model": "tiny", "input": "hello"}),
        lambda: _infer(server, sequence_start=True),
        lambda: _infer(server),
        lambda: _infer(server, sequence_end=True),
    ]
    for number, call in enumerate(live):
        hops.there = hops.back = 0
        call()
        assert (hops.there, hops.back) == (1, 1), number


def test_a_feed_of_one_character_takes_one_step_where_the_last_one_told_what_comes_next(
    server: LiveServer, hops: Hops
) -> None:
    session = Session.create(server, prime="abc")
    for returned, num_steps in (
        ("last", 2),  # the priming was not asked what comes after it
        ("last", 1),
        ("each", 1),
        ("none", 0),
        ("last", 2),
    ):
        hops.num_steps = 0
        session.do("feed", text="a", **{"return": returned})
        assert hops.num_steps == num_steps, returned


def _infer(server: LiveServer, **parameters: bool) -> None:
    body = {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}],
        "parameters": {"sequence_id": 7} | parameters,
    }
    answer = server.post("/v2/models/tiny/infer", body)
    assert answer.status_code == 200, answer.text


def test_a_second_lane_is_for_the_next_anchor_only(server: LiveServer, trips: Trips) -> None:
    session = Session.create(server)
    for num_chars, num_lanes in (
        (2 * REWIND_CHARS, 1),  # as much as can be taken back
        (1, 2),  # the anchor moves on
        (REWIND_CHARS - 1, 1),
        (3 * REWIND_CHARS, 2),  # a long text is cut at the anchor
    ):
        trips.clear()
        session.do("feed", text=_TEXT[:num_chars])
        assert len(trips.submissions) == num_lanes, num_chars


def test_next_after_a_state_that_the_client_carries_is_one_lane(server: LiveServer, trips: Trips) -> None:
    answer = server.post("/v1/next", {"model": "tiny", "input": "abc", "return_state": True}).json()
    assert len(trips.submissions) == 1
    trips.clear()
    body = {"model": "tiny", "input": "d", "state": answer["state"], "return_state": True}
    assert server.post("/v1/next", body).status_code == 200
    assert len(trips.submissions) == 1
    assert trips.store.calls == []
