"""A spare engine rests after its calls while live requests are served elsewhere; no other engine does."""

from collections.abc import Callable, Sequence

import pytest
from engine.estimates.engine_clocks import StepClock
from support.engine_lanes import GRAPH, VOCABULARY, Inbox, deliver, make_trie, some_ids

from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, ScoreJob
from nextchar.engine.options import EngineOptions
from nextchar.engine.turns.core_share import CoreShare

_SPARE, _STEP_SECONDS = 1, 0.001


class Rests:
    """Stands in for the engine's condition: notes how long the engine would have waited."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def notify(self) -> None: ...

    def wait_for(self, wanted: Callable[[], bool], seconds: float) -> None:
        assert not wanted()
        self.seconds.append(seconds)


Rested = Callable[..., list[float]]


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> Rested:
    """Returns how long an engine with some work rests after each of four calls."""
    clock = StepClock(monkeypatch, _STEP_SECONDS)

    def run(number: int, *works: Lane | ScoreJob, is_live: bool) -> list[float]:
        return _rested(monkeypatch, clock, number, works, is_live)

    return run


def _rested(
    monkeypatch: pytest.MonkeyPatch,
    clock: StepClock,
    number: int,
    works: Sequence[Lane | ScoreJob],
    is_live: bool,
) -> list[float]:
    share = CoreShare(2)
    engine = Engine(
        GRAPH, EngineOptions(2, 1, 4, 100, max_steps=1, share=share), deliver=deliver, number=number
    )
    noted = Rests()
    monkeypatch.setattr(engine, "_changed", noted)
    engine.submit(works)
    for _ in range(4):
        if is_live:
            share.take(clock.perf_counter())
        engine._step()
    return noted.seconds


def scoring() -> ScoreJob:
    return ScoreJob(make_trie([some_ids(1000)], VOCABULARY.begin_id, some_ids(0)), receiver=Inbox())


def reading() -> Lane:
    return Lane(some_ids(1000), receiver=Inbox())


def test_it_rests_for_three_times_each_call(rested: Rested) -> None:
    assert rested(_SPARE, scoring(), is_live=True) == pytest.approx([3 * _STEP_SECONDS] * 4)


def test_it_does_not_rest_while_nothing_is_live(rested: Rested) -> None:
    assert rested(_SPARE, scoring(), is_live=False) == []


def test_it_does_not_rest_while_a_live_request_is_its_own(rested: Rested) -> None:
    assert rested(_SPARE, reading(), scoring(), is_live=True) == []


def test_the_first_engine_never_rests_for_them(rested: Rested) -> None:
    assert rested(0, scoring(), is_live=True) == []
