"""The life of an engine: cancel, deadline, full queue, failure, stop; nobody is left waiting."""

import logging
import threading

import pytest
from engine_lanes import GRAPH, SECONDS, Gate, Inbox, endless, engine, run, some_ids

from nextchar.engine import Engine
from nextchar.errors import DeadlineExceeded, InternalError, NextcharError, QueueFull, Unavailable
from nextchar.lane import Finish, Lane


def test_a_cancelled_lane_is_gone_at_the_next_step() -> None:
    gate = Gate(GRAPH, 4)
    kept, gone = Inbox(), Inbox()
    with engine(runner=gate) as e:
        lanes = [endless(kept), endless(gone)]
        e.submit(lanes)
        assert gate.entered.acquire(timeout=SECONDS)
        e.cancel(lanes[1:])
        gate.let(1)
        assert gate.entered.acquire(timeout=SECONDS)
        assert e.num_live == 1
        gate.let(1000)
    assert gone.deliveries == []


def test_a_waiting_lane_that_is_cancelled_never_joins() -> None:
    gate = Gate(GRAPH, 1)
    with engine(runner=gate) as e:
        first, second = endless(Inbox()), endless(Inbox())
        e.submit([first])
        assert gate.entered.acquire(timeout=SECONDS)
        e.submit([second])
        e.cancel([second])
        gate.let(1)
        assert gate.entered.acquire(timeout=SECONDS)
        assert e.num_waiting == 0
        gate.let(1000)
    assert second.joined == 0


def test_a_lane_past_its_deadline_ends_with_an_error() -> None:
    (inbox,) = run([Lane(some_ids(10), deadline=0.0)])
    assert isinstance(inbox.deliveries[-1].error, DeadlineExceeded)


def test_a_live_lane_past_its_deadline_ends_and_frees_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, late, other = Gate(GRAPH, 4), Inbox(), Inbox()
    now = [100.0]
    monkeypatch.setattr("nextchar.batch.time.monotonic", lambda: now[0])
    with engine(runner=gate) as e:
        e.submit([endless(late, deadline=200.0), endless(other)])
        assert gate.entered.acquire(timeout=SECONDS)
        now[0] = 200.0
        gate.let(1)
        assert isinstance(late.wait().error, DeadlineExceeded)
        assert gate.entered.acquire(timeout=SECONDS)
        assert e.num_live == 1
        gate.let(1000)


def test_a_full_queue_refuses_a_request_whole() -> None:
    gate = Gate(GRAPH, 1)
    with engine(runner=gate, max_waiting=2) as e:
        e.submit([endless(Inbox())])
        assert gate.entered.acquire(timeout=SECONDS)
        with pytest.raises(QueueFull):
            e.submit([endless(Inbox()) for _ in range(3)])
        assert e.num_waiting == 0
        gate.let(1000)


def test_a_failing_step_ends_everybody_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    gate, inboxes = Gate(GRAPH, 2), [Inbox() for _ in range(5)]
    with caplog.at_level(logging.ERROR), engine(runner=gate) as e:
        e.submit([endless(inbox) for inbox in inboxes])
        assert gate.entered.acquire(timeout=SECONDS)
        gate.failure = RuntimeError("secret cause")
        gate.let(1)
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


def test_stopping_tells_everybody_who_still_waits() -> None:
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
            e.submit([Lane(some_ids(3), inbox)])
            assert inbox.wait().finish is Finish.GIVEN
        assert e.ready


def test_threads_that_submit_at_once_lose_nothing() -> None:
    inboxes = [Inbox() for _ in range(120)]

    def submit(e: Engine, part: list[Inbox]) -> None:
        for i, inbox in enumerate(part):
            e.submit([Lane(some_ids(i % 9, seed=i), inbox)])

    with engine(max_lanes=5) as e:
        threads = [threading.Thread(target=submit, args=(e, inboxes[k::4])) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(inbox.wait().finish is Finish.GIVEN for inbox in inboxes)


def test_the_engine_counts_its_steps() -> None:
    inbox = Inbox()
    with engine() as e:
        e.submit([Lane(some_ids(10), inbox)])
        inbox.wait()
    assert e.stats.batch_size.count == 10
    assert e.stats.batch_size.sum == 10
    assert e.stats.step_seconds.count == e.stats.sample_seconds.count == 10
    assert e.stats.step_seconds.sum > 0
