"""A draining server tells clients to retry when its work is done, by what is left and how fast it goes."""

import time
from types import SimpleNamespace

import pytest
from support.engine_lanes import VOCABULARY, Gate, Inbox, endless, engine, make_trie, some_ids

from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.scheduler import Scheduler
from nextchar.engine.work import Level
from nextchar.errors import Unavailable
from nextchar.service.lifecycle import ServiceLifecycle


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


def test_it_is_the_time_the_work_takes_but_a_second_at_least_and_never_longer_than_it_may() -> None:
    assert advice(7.5, 20.0) == 7.5
    assert advice(0.0, 20.0) == 1.0
    assert advice(7.5, 0.0) == 1.0
    assert advice(7.5, 5.0) == pytest.approx(5.0, abs=0.5)


def test_an_engine_that_has_nothing_to_do_is_done() -> None:
    with engine() as e:
        assert e.seconds_left() == 0
        inbox = Inbox()
        e.submit([Lane(some_ids(50), receiver=inbox)])
        inbox.wait()
        assert e.seconds_left() == 0


def test_what_runs_takes_its_steps_at_the_pace_of_a_row() -> None:
    inboxes = [Inbox(), Inbox()]
    lanes = [endless(inboxes[0]), Lane(some_ids(0), receiver=inboxes[1], sampling=Sampling(600, 1))]
    started = time.monotonic()
    with engine() as e:
        e.submit(lanes)
        inboxes[1].wait()
        pace = 600 / (time.monotonic() - started)
        assert e.seconds_left() > 10**6 / pace / 20  # a machine is not equally fast all the time
        e.cancel(lanes)
        other = Inbox()
        e.submit([Lane(some_ids(3), receiver=other)])
        other.wait()
        assert e.seconds_left() < 10**6 / pace / 20


def test_what_waits_counts_on_top_of_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine(max_lanes=1) as e:
        first = Inbox()
        e.submit([Lane(some_ids(0), receiver=first, sampling=Sampling(2000, 1)), endless(Inbox())])
        first.wait()
        gate = Gate(monkeypatch)
        gate.reached()
        one = e.seconds_left()
        e.submit([endless(Inbox()) for _ in range(3)])
        assert e.seconds_left() > 3 * one
        gate.open()


def test_strings_that_are_scored_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = [some_ids(400, seed=i) for i in range(8)]
    gate = Gate(monkeypatch)
    with engine() as e:
        e.submit([ScoreJob(make_trie(strings, VOCABULARY.begin_id, some_ids(4)), receiver=Inbox())])
        gate.reached()
        gate.let()
        gate.reached()
        gate.let()
        gate.reached()
        assert e.seconds_left() > 0
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
