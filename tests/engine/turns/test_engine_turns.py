"""An engine stepped by hand on a clock that the test moves: who runs, who waits, and for how long."""

import threading
from collections import Counter

import numpy as np
import pytest
from support.engine_lanes import GRAPH, VOCABULARY, Inbox, deliver, engine, make_trie, some_ids
from support.replacing import replace_in

from nextchar.engine import engine as engine_module
from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import UNLIMITED, FinishReason, Level, Outbox, Work
from nextchar.errors import InternalError, NextcharError, QueueFull, Unavailable
from nextchar.model.step_runner import StepRunner


class Clock:
    """A clock on which a call of the graph takes a second for every step, and nothing else takes any time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.calls: list[int] = []  # rows of each
        step = StepRunner.step

        def timed(runner: StepRunner, n: int, num_steps: int = 1, **how: bool) -> None:
            self.now += num_steps
            self.calls.append(n)
            step(runner, n, num_steps, **how)

        monkeypatch.setattr(StepRunner, "step", timed)
        looks = {look: lambda: self.now for look in ("monotonic", "perf_counter")}
        replace_in(monkeypatch, engine_module, "time", **looks)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class ByHand(Engine):
    """An engine without its thread: the test takes each turn."""

    def __init__(self, *, max_wait_seconds: float = UNLIMITED, max_waiting: int = 100) -> None:
        options = EngineOptions(2, 1, 4, max_waiting, max_wait_seconds=max_wait_seconds, max_steps=1)
        super().__init__(GRAPH, options, deliver=self.note)
        self.outboxes: list[Outbox] = []

    def note(self, outbox: Outbox) -> None:
        self.outboxes.append(outbox)
        deliver(outbox)

    def turns(self, count: int) -> None:
        for _ in range(count):
            self._step()


def drawing(num_chars: int = 1000, seed: int = 1) -> Lane:
    return Lane(some_ids(0), receiver=Inbox(), sampling=Sampling(num_chars, seed))


def reading(num_chars: int = 1000) -> Lane:
    return Lane(some_ids(num_chars), receiver=Inbox())


def scoring(num_chars: int = 1000) -> ScoreJob:
    trie = make_trie([some_ids(num_chars)], VOCABULARY.begin_id, some_ids(0))
    return ScoreJob(trie, receiver=Inbox())


def inbox(work: Work) -> Inbox:
    assert isinstance(work.receiver, Inbox)
    return work.receiver


@pytest.mark.usefixtures("clock")
def test_completions_leave_the_reserved_rows_and_what_has_no_row_waits() -> None:
    e = ByHand()
    assert e._num_free() == (3, 2, 8)
    e.submit([drawing(), drawing(), drawing(), scoring()])
    assert (e.num_running, e.num_waiting, e.load) == (0, 4, 4)
    e.turns(1)
    assert (e.num_running, e.num_waiting, e.load) == (3, 1, 4)
    assert e._num_free() == (1, 0, 7)
    e.submit([reading(), reading()])
    e.turns(1)
    assert (e.num_running, e.num_waiting, e.load) == (4, 2, 6)
    assert e._num_free() == (0, 0, 7)
    e.cancel([e._lane_batch.lanes[1]])  # a completion
    e.turns(1)
    assert (e._lane_batch.num_interactive, e.num_running, e.num_waiting) == (2, 4, 1)
    e.cancel(e._lane_batch.lanes[:2])
    e.turns(1)
    assert e._lane_batch.num_interactive == 0
    assert e._num_free() == (1, 0, 7)


def test_an_interactive_request_takes_no_place_of_a_completion_while_there_are_enough() -> None:
    e = ByHand()
    e.submit([reading()])
    e.turns(1)
    assert e._num_free() == (2, 2, 8)


def test_each_call_is_for_the_level_whose_turn_it_is(clock: Clock) -> None:
    e = ByHand()
    e.submit([drawing(), drawing(), reading(), scoring()])
    e.turns(80)
    # A turn of bulk work has one row, so has one of interactive requests; one of completions has all three.
    seconds = Counter(clock.calls)
    assert e.stats.by_batch[3].num_calls == seconds[3]
    left = [e._lane_batch.longest(level) for level in (Level.INTERACTIVE, Level.SAMPLING)]
    num_bulk = 1000 - e._score_batch.num_left
    assert (1000 - left[1], 1000 - left[0] + num_bulk) == (seconds[3], 80)
    assert num_bulk == pytest.approx(20, abs=1)
    assert seconds[3] == pytest.approx(15, abs=1)  # a quarter of what bulk work leaves


def test_the_waits_for_calls_are_told_by_level(clock: Clock) -> None:
    e = ByHand()
    e.submit([drawing(), scoring()])
    e.turns(41)
    bulk, sampling = e.stats.wait_seconds[Level.BULK], e.stats.wait_seconds[Level.SAMPLING]
    assert (bulk.count, sampling.count) == (11, 30)
    assert bulk.sum == 10 * 3  # three calls for completions between two of its own
    assert sampling.sum == 11 - 1  # the last is to come
    assert e.stats.wait_seconds[Level.INTERACTIVE].count == 0
    assert clock.now == 1000 + 41


def test_what_is_left_takes_its_steps_at_the_pace_so_far_after_what_waits(clock: Clock) -> None:
    e = ByHand()
    assert e.seconds_left() == 0
    e.submit([drawing(110), drawing(60)])
    e.turns(1)
    e.turns(9)
    assert e.seconds_left() == pytest.approx(100, rel=0.01)
    e.submit([drawing(40), drawing(20)])  # two rows take two steps a second
    e.turns(10)
    assert e.seconds_left() == pytest.approx((40 + 20) / 2 + 90, rel=0.01)
    e.submit([reading(30)])
    e.turns(10)
    assert e._progress.seconds(Level.INTERACTIVE, 30) == pytest.approx(30, rel=0.05)
    assert e._progress.seconds(Level.BULK, 10) == 0
    waiting = [w for w in e._scheduler.drain() if w.level is Level.SAMPLING]
    assert len(waiting) == 2
    assert e._scheduler.last_begins_seconds(Level.SAMPLING) == 0
    assert clock.now == 1000 + 30


def test_a_job_is_left_by_its_nodes_and_the_pace_of_all_its_rows(clock: Clock) -> None:
    e = ByHand()
    e.submit([scoring(100)])
    e.turns(20)
    assert e.seconds_left() == pytest.approx(80, rel=0.01)
    e.submit([scoring(100) for _ in range(10)])  # at most four rows, and some jobs wait
    e.turns(20)
    assert e.num_waiting == 3
    assert e.seconds_left() > 80
    assert clock.now == 1000 + 40


def test_work_knows_when_it_came_and_when_it_began(clock: Clock) -> None:
    e, works = ByHand(), [drawing(), drawing(), drawing(), reading(), scoring()]
    e.submit(works)
    clock.now += 5
    e.turns(1)
    assert [work.submitted for work in works] == [1000] * 5
    assert [work.joined for work in works] == [1005, 1005, 0, 1005, 1005]


def test_what_has_waited_too_long_is_told_so_and_the_others_run(clock: Clock) -> None:
    e = ByHand(max_wait_seconds=10.0)
    running, late = [drawing(seed=k) for k in range(2)], [drawing(), drawing()]
    e.submit(running)
    e.turns(1)
    e.submit(late)
    e.turns(9)
    assert e.num_waiting == 2
    clock.now += 5
    e.turns(1)
    for work in late:
        error = inbox(work).wait().error
        assert isinstance(error, QueueFull)
        assert error.code == "queue_timeout"
    assert (e.num_waiting, e.num_running) == (0, 2)


def test_work_without_steps_is_delivered_when_it_joins_in_one_hop(clock: Clock) -> None:
    e = ByHand()
    empty = [reading(0), drawing(0), reading(0)]
    e.submit(empty)
    e.turns(1)
    assert [[work for work, _ in outbox] for outbox in e.outboxes] == [[empty[0], empty[2], empty[1]]]
    assert [inbox(w).wait().finish for w in empty] == [
        *(FinishReason.GIVEN, FinishReason.LENGTH, FinishReason.GIVEN)
    ]
    assert (clock.calls, e.num_running) == ([], 0)


def test_all_deliveries_of_a_call_leave_together(clock: Clock) -> None:
    e = ByHand()
    works = [drawing(1), drawing(1), reading(1)]
    e.submit(works)
    while any(not inbox(work).deliveries for work in works):
        e.turns(1)
    assert max(len(outbox) for outbox in e.outboxes) >= 2
    assert all(e.outboxes)  # an empty one is not sent
    assert sum(map(len, e.outboxes)) == 3
    assert len(e.outboxes) <= len(clock.calls)


@pytest.mark.usefixtures("clock")
def test_work_that_is_cancelled_wherever_it_is_ends_without_a_word() -> None:
    e = ByHand()
    works = [drawing(), drawing(), drawing(), reading(), scoring(), scoring()]
    e.submit(works)
    e.turns(1)
    never = drawing()
    e.cancel([*works, never, works[0]])
    e.turns(0)
    e._drop_cancelled()
    assert (e.num_running, e.num_waiting) == (0, 0)
    assert e._lane_batch.num_interactive == 0
    assert all(inbox(work).deliveries == [] for work in works)


def test_an_engine_is_ready_while_its_thread_runs_and_keeps_no_process_alive() -> None:
    e = ByHand()
    assert not e.ready
    with engine() as running:
        assert running.ready
        assert running._thread.daemon
        assert running._thread.name in [thread.name for thread in threading.enumerate()]
    assert not running.ready


def test_people_are_told_why_their_work_ended() -> None:
    def told(error: NextcharError) -> str:
        e, works = ByHand(), [drawing(), drawing(), drawing(), scoring()]
        e.submit(works)
        e.turns(1)
        e._end(error)
        assert [inbox(work).wait().error for work in works] == [error] * 4
        assert len(e.outboxes) == 1
        assert (e.num_running, e.num_waiting) == (0, 0)
        with pytest.raises(Unavailable) as refused:
            e.submit([drawing()])
        assert refused.value.retry_after_seconds == 1.0
        return refused.value.message

    for error in (Unavailable("stopped"), InternalError("failed")):
        assert told(error) == "the model is not ready: its engine has failed or is stopping; try again later"


def test_an_engine_that_stops_says_so_to_what_runs() -> None:
    with engine(max_lanes=1) as e:
        work = drawing(10**6)
        e.submit([work])
    error = inbox(work).wait().error
    assert error is not None
    assert (error.message, error.code) == ("the server is shutting down; try another replica", "draining")


def test_a_fault_is_told_without_its_cause(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[Level]:
        raise RuntimeError("secret")

    monkeypatch.setattr(Engine, "_active", broken)
    with engine() as e:
        work = drawing()
        e.submit([work])
        error = inbox(work).wait().error
    assert isinstance(error, InternalError)
    assert error.message == "the model's engine failed; the cause is in the server's log"
    assert [record.message for record in caplog.records] == [
        "the engine failed; its model is not ready any more"
    ]


def test_rows_for_jobs_are_their_own_and_as_many_as_is_said(clock: Clock) -> None:
    e = ByHand()
    strings = [np.array([k]) for k in range(20)]
    tail = some_ids(30)
    trie = make_trie([np.concatenate([s, tail]) for s in strings], VOCABULARY.begin_id, some_ids(0))
    e.submit([ScoreJob(trie, receiver=Inbox())])
    e.turns(5)
    assert max(clock.calls) == 4
    assert e._score_batch.num_rows == 4
