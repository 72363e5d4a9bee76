"""The time in which lanes learn counts for their level: others have their turns as beside a slow network."""

from collections import Counter

import pytest
from engine.estimates.engine_clocks import StepClock
from support.engine_lanes import GRAPH, VOCABULARY, Inbox, deliver, make_trie, some_ids

from nextchar.engine.adaptive.lanes import AdaptiveLanes
from nextchar.engine.adaptive.memory import empty_memory
from nextchar.engine.adaptive.mixture import Floats, Indices
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.options import EngineOptions
from nextchar.engine.turns.call_planner import CallPlanner
from nextchar.engine.work import Level

_STEP_SECONDS, _MIX_SECONDS = 1.0, 9.0


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Counter[Level]:
    """Makes a step take a second, and the learning of one nine; counts the calls by level."""
    clock = StepClock(monkeypatch, _STEP_SECONDS)
    mix, record, taken = AdaptiveLanes.mix, CallPlanner.record, Counter[Level]()

    def slowly(lanes: AdaptiveLanes, places: Indices, network: Floats) -> Floats:
        clock.idle(_MIX_SECONDS)
        return mix(lanes, places, network)

    def counted(planner: CallPlanner, level: Level, seconds: float, num_steps: int) -> None:
        taken[level] += 1
        record(planner, level, seconds, num_steps)

    monkeypatch.setattr(AdaptiveLanes, "mix", slowly)
    monkeypatch.setattr(CallPlanner, "record", counted)
    return taken


def _run(num_turns: int, *works: Lane | ScoreJob) -> None:
    engine = Engine(GRAPH, EngineOptions(2, 1, 4, 100, max_steps=1), deliver=deliver)  # without its thread
    engine.submit(works)
    for _ in range(num_turns):
        engine._step()


def _learning(**fields: object) -> Lane:
    return Lane(some_ids(1000), receiver=Inbox(), memory=empty_memory(Adaptive()), **fields)  # type: ignore[arg-type]


def _scoring() -> ScoreJob:
    return ScoreJob(make_trie([some_ids(1000)], VOCABULARY.begin_id, some_ids(0)), receiver=Inbox())


def test_bulk_work_has_its_share_beside_a_text_that_is_learned(turns: Counter[Level]) -> None:
    """A call in which a text is learned takes ten times as long, and more than the three that bulk waits."""
    _run(80, _learning(), _scoring())
    assert (turns[Level.INTERACTIVE], turns[Level.BULK]) == (40, 40)


def test_beside_a_plain_text_bulk_work_waits_for_three_calls(turns: Counter[Level]) -> None:
    _run(80, Lane(some_ids(1000), receiver=Inbox()), _scoring())
    assert (turns[Level.INTERACTIVE], turns[Level.BULK]) == (60, 20)


def test_an_interactive_request_waits_for_one_call_of_completions_that_learn(turns: Counter[Level]) -> None:
    """Those take ten times its own call, so that they have one turn for thirty of its own."""
    drawing = _learning(sampling=Sampling(1000, 1))
    _run(62, drawing, Lane(some_ids(1000), receiver=Inbox()))
    assert turns[Level.SAMPLING] == pytest.approx(2, abs=1)
    assert turns[Level.INTERACTIVE] == 62 - turns[Level.SAMPLING]
