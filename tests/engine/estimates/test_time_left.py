"""A draining server tells clients to retry when its work is done, by what is left and how fast it goes."""

from types import SimpleNamespace

import pytest
from engine.estimates.engine_clocks import StepClock
from support.engine_lanes import VOCABULARY, Gate, Inbox, endless, engine, make_trie, some_ids

from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.turns.scheduler import Scheduler
from nextchar.engine.work import Level
from nextchar.errors import Unavailable
from nextchar.service import lifecycle as lifecycle_module
from nextchar.service.lifecycle import ServiceLifecycle

STEP_SECONDS = 0.01


def advice(seconds_left: float, timeout_seconds: float) -> float:
    """The Retry-After of a draining server whose work takes so long."""
    served_models = SimpleNamespace(seconds_left=lambda: seconds_left)
    lifecycle = ServiceLifecycle(served_models)  # type: ignore[arg-type]
    lifecycle.check_accepting()
    lifecycle.drain(timeout_seconds)
    with pytest.raises(Unavailable) as caught:
        lifecycle.check_accepting()
    assert caught.value.code == "draining"
    return caught.value.retry_after_seconds


def test_it_is_the_time_the_work_takes_but_a_second_at_least_and_never_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle_module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    assert advice(7.5, 20.0) == 7.5
    assert advice(0.0, 20.0) == 1.0
    assert advice(7.5, 0.0) == 1.0
    assert advice(7.5, 5.0) == 5.0


def test_an_engine_that_has_nothing_to_do_is_done() -> None:
    with engine() as e:
        assert e.seconds_left() == 0
        inbox = Inbox()
        e.submit([Lane(some_ids(50), receiver=inbox)])
        inbox.wait()
        assert e.seconds_left() == 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Holds engines whose steps take ten milliseconds each."""
    StepClock(monkeypatch, STEP_SECONDS)
    return Gate(monkeypatch)


def test_what_runs_takes_its_steps_at_the_pace_of_a_row(gate: Gate) -> None:
    lanes = [endless(Inbox()), Lane(some_ids(0), receiver=Inbox(), sampling=Sampling(600, 1))]
    with engine(max_steps=1) as e:
        e.submit(lanes)
        gate.reached()
        assert e.seconds_left() == 0  # no pace is known
        gate.let_and_reach(100)
        assert e.seconds_left() == pytest.approx((10**6 - 100) * STEP_SECONDS)
        e.cancel(lanes)
        e.submit([Lane(some_ids(3), receiver=Inbox())])
        gate.let_and_reach(1)
        assert e.seconds_left() <= 3 * STEP_SECONDS
        gate.open()


def test_what_waits_counts_on_top_of_what_runs(gate: Gate) -> None:
    with engine(max_lanes=1, max_steps=1) as e:
        e.submit([endless(Inbox()) for _ in range(2)])
        gate.reached()
        gate.let_and_reach(100)
        one, both = 10**6 * STEP_SECONDS, e.seconds_left()
        assert both == pytest.approx(2 * one, rel=0.001)
        e.submit([endless(Inbox()) for _ in range(3)])
        assert e.seconds_left() == pytest.approx(5 * one, rel=0.001)
        gate.open()


def test_strings_that_are_scored_take_their_characters_at_the_pace_of_all_rows(gate: Gate) -> None:
    strings = [some_ids(400, seed=i) for i in range(8)]
    with engine(max_steps=1) as e:
        e.submit([ScoreJob(make_trie(strings, VOCABULARY.begin_id, some_ids(4)), receiver=Inbox())])
        gate.reached()
        assert e.seconds_left() == 0
        gate.let_and_reach(200)
        # The first steps read what the strings share, in one row: the pace is a little less than of eight.
        assert e.seconds_left() == pytest.approx((400 - 200) * STEP_SECONDS, rel=0.05)
        gate.open()


def test_the_queue_ends_with_the_last_of_any_priority_and_its_longest_work_is_known() -> None:
    s = Scheduler(max_lanes=4, max_sampling=4, max_jobs=2, max_waiting=100)
    assert (s.last_begins_seconds(Level.SAMPLING), s.longest_waiting(Level.SAMPLING)) == (0, 0)
    s.add([Lane(some_ids(0), sampling=Sampling(n, 1), priority=p) for n, p in ((10, 0), (30, 100))])
    s.record(Level.SAMPLING, 20, 1.0)
    assert s.last_begins_seconds(Level.SAMPLING) == pytest.approx(2.0)
    assert s.longest_waiting(Level.SAMPLING) == 30
    assert s.last_begins_seconds(Level.INTERACTIVE) == 0


def test_a_model_whose_engine_has_failed_is_not_there_before_it_can_be_loaded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate(monkeypatch)
    gate.failure = RuntimeError("broken")
    gate.open()
    with engine(load_seconds=7.0) as e:
        inbox = Inbox()
        e.submit([endless(inbox)])
        inbox.wait()
        with pytest.raises(Unavailable) as caught:
            e.submit([endless(Inbox())])
    assert (caught.value.code, caught.value.retry_after_seconds) == ("model_not_ready", 7.0)
