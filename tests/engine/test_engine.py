"""The life of an engine: cancel, deadline, full queue, failure, stop; nothing is left waiting."""

import logging
import threading
from typing import Any

import pytest
from support.engine_lanes import GRAPH, VOCABULARY, Gate, Inbox, endless, engine, make_trie, run, some_ids
from support.replacing import replace_in

from nextchar.engine import lane_batch, score_batch
from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.turns.call_planner import LONG_CALL_SECONDS, MAX_CALL_SECONDS, CallPlanner
from nextchar.engine.work import FinishReason, Level, Work
from nextchar.errors import DeadlineExceeded, InternalError, NextcharError, QueueFull, Unavailable
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats


def job(count: int = 20, **fields: Any) -> ScoreJob:
    strings = [some_ids(30, seed=i) for i in range(count)]
    return ScoreJob(make_trie(strings, VOCABULARY.begin_id, some_ids(0)), **fields)


def test_a_cancelled_lane_is_gone_at_the_next_call(gate: Gate) -> None:
    kept, gone = Inbox(), Inbox()
    with engine() as e:
        lanes = [endless(kept), endless(gone)]
        e.submit(lanes)
        gate.reached()
        e.cancel(lanes[1:])
        gate.let()
        gate.reached()
        assert e.num_running == 1
        gate.open()
    assert gone.deliveries == []


def test_a_cancelled_job_is_gone_at_the_next_call(gate: Gate) -> None:
    inboxes = [Inbox(), Inbox()]
    jobs = [job(receiver=inbox) for inbox in inboxes]
    with engine() as e:
        e.submit(jobs)
        for _ in range(3):  # both have rows
            gate.reached()
            gate.let()
        gate.reached()
        e.cancel(jobs[:1])
        gate.let()
        gate.reached()
        assert e.num_running == 1
        gate.open()
        assert inboxes[1].wait().finish is FinishReason.GIVEN
    assert inboxes[0].deliveries == []


def test_waiting_work_that_is_cancelled_never_joins(gate: Gate) -> None:
    with engine(max_lanes=1) as e:
        first, second = endless(Inbox()), endless(Inbox())
        e.submit([first])
        gate.reached()
        e.submit([second])
        e.cancel([second])
        gate.let()
        gate.reached()
        assert e.num_waiting == 0
        gate.open()
    assert second.joined == 0


@pytest.mark.parametrize("late", [Lane(some_ids(10), deadline=0.0), job(deadline=0.0)])
def test_work_past_its_deadline_ends_with_an_error(late: Work) -> None:
    (inbox,) = run([late])
    assert isinstance(inbox.deliveries[-1].error, DeadlineExceeded)


def test_running_work_past_its_deadline_ends_and_frees_its_rows(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    late, late_job, other = Inbox(), Inbox(), Inbox()
    now = [100.0]
    for module in (lane_batch, score_batch):
        replace_in(monkeypatch, module, "time", monotonic=lambda: now[0])
    with engine() as e:
        work = [endless(late, deadline=200.0), endless(other), job(receiver=late_job, deadline=200.0)]
        e.submit(work)
        gate.reached()
        now[0] = 200.0
        for _ in range(20):
            gate.let()
            gate.reached()
        assert isinstance(late.wait().error, DeadlineExceeded)
        assert isinstance(late_job.wait().error, DeadlineExceeded)
        assert e.num_running == 1
        gate.open()


def test_a_deadline_that_passes_in_a_call_for_interactive_requests_alone_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    replace_in(monkeypatch, lane_batch, "time", monotonic=lambda: now[0])
    batch = LaneBatch(StepRunner(GRAPH, 4), EngineStats())
    late = endless(Inbox(), deadline=200.0)
    batch.join(late, 0.0)
    batch.join(Lane(some_ids(50)), 0.0)
    now[0] = 200.0
    assert batch.step(Level.INTERACTIVE, 1) == []
    ((work, delivery),) = batch.step(Level.SAMPLING, 1)
    assert work is late
    assert isinstance(delivery.error, DeadlineExceeded)


def test_calls_for_completions_are_short_while_interactive_requests_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[tuple[Level, float]] = []

    def max_steps(_planner: CallPlanner, level: Level, seconds: float) -> int:
        limits.append((level, seconds))
        return 1

    monkeypatch.setattr(CallPlanner, "max_steps", max_steps)
    run([Lane(some_ids(3), sampling=Sampling(9, 1))])
    assert set(limits) == {(Level.SAMPLING, LONG_CALL_SECONDS)}
    limits.clear()
    run([Lane(some_ids(3), sampling=Sampling(9, 1)), Lane(some_ids(2), wants_distribution=True)])
    assert set(limits) == {(level, MAX_CALL_SECONDS[level]) for level in (Level.INTERACTIVE, Level.SAMPLING)}


def test_a_full_queue_refuses_a_request_whole(gate: Gate) -> None:
    with engine(max_lanes=1, max_waiting=2) as e:
        e.submit([endless(Inbox())])
        gate.reached()
        with pytest.raises(QueueFull):
            e.submit([endless(Inbox()) for _ in range(3)])
        with pytest.raises(QueueFull, match="this request has 20"):
            e.submit([job(20)])
        assert e.num_waiting == 0
        gate.open()


def test_work_that_was_cancelled_before_a_failure_has_no_delivery(gate: Gate) -> None:
    running, waiting, kept = Inbox(), Inbox(), Inbox()
    with engine(max_lanes=2) as e:
        lanes = [endless(running), endless(kept), endless(waiting)]
        e.submit(lanes)
        gate.reached()
        e.cancel([lanes[0], lanes[2]])
        gate.failure = RuntimeError("broken")
        gate.open()
        assert isinstance(kept.wait().error, InternalError)
    assert (running.deliveries, waiting.deliveries) == ([], [])


def test_a_failing_step_ends_all_work_and_is_logged_once(
    caplog: pytest.LogCaptureFixture, gate: Gate
) -> None:
    inboxes = [Inbox() for _ in range(5)]
    with caplog.at_level(logging.ERROR), engine(max_lanes=2) as e:
        e.submit([*(endless(inbox) for inbox in inboxes[:4]), job(receiver=inboxes[4])])
        gate.reached()
        gate.failure = RuntimeError("secret cause")
        gate.open()
        for inbox in inboxes:
            error = inbox.wait().error
            assert isinstance(error, InternalError)
            assert "secret" not in error.message
        assert not e.ready
        with pytest.raises(Unavailable) as refused:
            e.submit([endless(Inbox())])
        assert refused.value.code == "model_not_ready"
    assert [r.exc_text is None for r in caplog.records] == [False]
    assert "secret cause" in caplog.text


def test_stopping_ends_all_work_with_an_error() -> None:
    inboxes = [Inbox() for _ in range(3)]
    with engine(max_lanes=1) as e:
        e.submit([endless(inbox) for inbox in inboxes])
    for inbox in inboxes:
        error = inbox.wait().error
        assert isinstance(error, Unavailable)
        assert error.code == "draining"
    with pytest.raises(NextcharError):
        e.submit([endless(Inbox())])


def test_an_idle_engine_wakes_for_work_and_stops_at_once() -> None:
    with engine() as e:
        for _ in range(3):
            inbox = Inbox()
            e.submit([Lane(some_ids(3), receiver=inbox)])
            assert inbox.wait().finish is FinishReason.GIVEN
        assert e.ready


def test_threads_that_submit_at_once_lose_nothing() -> None:
    inboxes = [Inbox() for _ in range(120)]

    def submit(e: Engine, part: list[Inbox]) -> None:
        for i, inbox in enumerate(part):
            e.submit([Lane(some_ids(i % 9, seed=i), receiver=inbox)])

    with engine(max_lanes=5) as e:
        threads = [threading.Thread(target=submit, args=(e, inboxes[k::4])) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(inbox.wait().finish is FinishReason.GIVEN for inbox in inboxes)


def test_the_engine_counts_its_steps() -> None:
    inbox = Inbox()
    with engine() as e:
        e.submit([Lane(some_ids(10), receiver=inbox)])
        inbox.wait()
    assert e.stats.batch_size.count == 10
    assert e.stats.batch_size.sum == 10
    assert e.stats.step_seconds.count == e.stats.sample_seconds.count == 10
    assert e.stats.step_seconds.sum > 0
