"""Lanes through a real engine: the same bytes however they run, and nobody is left waiting."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from tiny_models import LINES, TEXT, TinyModel

from nextchar.batch import Outbox
from nextchar.engine import Engine
from nextchar.errors import DeadlineExceeded, InternalError, NextcharError, QueueFull, Unavailable
from nextchar.golden import symbol_logprobs
from nextchar.lane import Delivery, Finish, Lane, Priority, Sampling
from nextchar.runner import ModelGraph, StepRunner
from nextchar.slab import CHUNK

_SECONDS = 30
GRAPH = TEXT.step()
VOCABULARY = GRAPH.vocabulary


class Inbox:
    """Keeps a lane's deliveries; `wait` returns when the last has come."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.first = threading.Event()
        self._last = threading.Event()

    def receive(self, _lane: Lane, delivery: Delivery, /) -> None:
        self.deliveries.append(delivery)
        self.first.set()
        if delivery.last:
            self._last.set()

    def wait(self) -> Delivery:
        assert self._last.wait(_SECONDS)
        return self.deliveries[-1]

    @property
    def ids(self) -> list[int]:
        return [i for d in self.deliveries for i in d.ids.tolist()]

    @property
    def logprobs(self) -> list[float]:
        return [x for d in self.deliveries for x in d.logprobs.tolist()]

    def bytes(self) -> tuple[list[int], list[float], object, int]:
        last = self.deliveries[-1]
        return self.ids, self.logprobs, last.finish, last.num_stop


def deliver(outbox: Outbox) -> None:
    for lane, delivery in outbox:
        lane.receiver.receive(lane, delivery)


@contextmanager
def engine(
    graph: ModelGraph = GRAPH,
    *,
    max_lanes: int = 8,
    max_waiting: int = 1000,
    runner: StepRunner | None = None,
) -> Iterator[Engine]:
    made = Engine(runner or StepRunner(graph, max_lanes), deliver=deliver, max_waiting=max_waiting)
    with made:
        yield made


def run(lanes: list[Lane], graph: ModelGraph = GRAPH, *, max_lanes: int = 64) -> list[Inbox]:
    """Run lanes together; their inboxes."""
    inboxes = [Inbox() for _ in lanes]
    for lane, inbox in zip(lanes, inboxes, strict=True):
        lane.receiver = inbox
    with engine(graph, max_lanes=max_lanes) as e:
        e.submit(lanes)
        for inbox in inboxes:
            inbox.wait()
    return inboxes


def some_ids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCABULARY.num_outputs, count)


@pytest.mark.parametrize("length", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 300])
def test_a_given_lane_scores_as_the_plain_loop_does_bit_for_bit(length: int) -> None:
    ids = some_ids(length)
    (inbox,) = run([Lane(ids)])
    assert inbox.deliveries[-1].finish is Finish.GIVEN
    assert inbox.ids == ids.tolist()
    assert inbox.logprobs == symbol_logprobs(GRAPH, [ids])[0].tolist()


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_distribution_is_what_any_next_symbol_would_score(length: int) -> None:
    ids = some_ids(length)
    (inbox,) = run([Lane(ids, wants_distribution=True)])
    distribution = inbox.deliveries[-1].distribution
    assert distribution is not None
    assert inbox.ids == ids.tolist()
    assert math.fsum(np.exp(distribution)) == pytest.approx(1)
    for symbol in (0, 5, VOCABULARY.num_outputs - 1):
        longer = np.append(ids, symbol)
        assert distribution[symbol] == symbol_logprobs(GRAPH, [longer])[0][-1]


def test_an_empty_lane_is_done_without_a_step() -> None:
    given, sampled = run([Lane(some_ids(0)), Lane(some_ids(0), sampling=Sampling(0, 1))])
    assert given.bytes() == ([], [], Finish.GIVEN, 0)
    assert sampled.bytes() == ([], [], Finish.LENGTH, 0)


def mixed_lanes(count: int, chars_per_delivery: int = 0) -> list[Lane]:
    """Lanes of every kind of sampling, prompts of every length around the chunk's."""
    stop = tuple(VOCABULARY.encode("ab").tolist())
    return [
        Lane(
            some_ids((0, 3, CHUNK - 1, CHUNK, 140)[i % 5], seed=i),
            sampling=Sampling(
                max_chars=(1, 20, CHUNK, 150)[i % 4],
                seed=i,
                temperature=(1.0, 0.7, 0.0, 1.5)[i % 4],
                top_k=(0, 5)[i % 2],
                top_p=(1.0, 0.9, 1.0)[i % 3],
                min_p=(0.0, 0.0, 0.05)[i % 3],
                stop=(stop,) if i % 6 == 0 else (),
                chars_per_delivery=chars_per_delivery,
            ),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "model", [TEXT, LINES, TinyModel("rnn_tanh"), TinyModel("rnn_relu")], ids=lambda m: m.cell
)
def test_a_lane_gives_the_same_bytes_alone_and_among_others(model: TinyModel) -> None:
    graph = model.step()
    together = [inbox.bytes() for inbox in run(mixed_lanes(40), graph, max_lanes=17)]
    alone = [run([lane], graph, max_lanes=1)[0].bytes() for lane in mixed_lanes(40)]
    assert together == alone


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_delivery_size_changes_nothing_but_the_pieces(size: int) -> None:
    whole = [inbox.bytes() for inbox in run(mixed_lanes(20))]
    pieces = run(mixed_lanes(20, chars_per_delivery=size))
    assert [inbox.bytes() for inbox in pieces] == whole


def test_a_stream_delivers_the_first_character_at_once_and_then_in_groups() -> None:
    (inbox,) = run([Lane(some_ids(3), sampling=Sampling(40, 1, chars_per_delivery=16))])
    assert [len(d.ids) for d in inbox.deliveries] == [3 + 1, 16, 16, 7]


def test_bulk_scoring_beside_it_does_not_change_a_text() -> None:
    alone = [inbox.bytes() for inbox in run(mixed_lanes(10))]
    bulk = [Lane(some_ids(200, seed=i), priority=Priority.BULK) for i in range(50)]
    assert [inbox.bytes() for inbox in run([*bulk, *mixed_lanes(10)])[50:]] == alone


def test_a_stop_string_ends_a_lane_wherever_it_falls() -> None:
    text = run([Lane(some_ids(0), sampling=Sampling(300, 5))])[0].ids
    for end in (3, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 2, 280):
        stop = tuple(text[end - 3 : end])
        first = next(k for k in range(3, end + 1) if tuple(text[k - 3 : k]) == stop)
        (inbox,) = run([Lane(some_ids(0), sampling=Sampling(300, 5, stop=(stop,)))])
        assert inbox.ids == text[:first]
        assert inbox.bytes()[2:] == (Finish.STOP, 3)


def test_a_stop_string_in_the_prompt_does_not_count() -> None:
    stop = tuple(VOCABULARY.encode("abc").tolist())
    (inbox,) = run([Lane(VOCABULARY.encode("abc"), sampling=Sampling(5, 1, stop=(stop,)))])
    assert len(inbox.ids) == 8


def test_the_end_symbol_ends_a_line() -> None:
    graph = LINES.step()
    inboxes = run([Lane(some_ids(0), sampling=Sampling(2000, seed)) for seed in range(8)], graph)
    for inbox in inboxes:
        assert inbox.bytes()[2:] == (Finish.STOP, 1)
        assert inbox.ids.index(graph.vocabulary.end_id) == len(inbox.ids) - 1


def test_the_unknown_symbol_is_never_drawn() -> None:
    inboxes = run([Lane(some_ids(0), sampling=Sampling(400, seed, 2.0)) for seed in range(16)])
    assert VOCABULARY.unknown_id not in {i for inbox in inboxes for i in inbox.ids}


def test_top_logprobs_are_the_largest_of_every_step() -> None:
    ids = some_ids(140)
    with_top, without_top = run([Lane(ids, num_top=3), Lane(ids)])
    assert with_top.logprobs == without_top.logprobs
    tops = np.concatenate([d.top_logprobs for d in with_top.deliveries])
    assert tops.shape == (140, 3)
    assert (np.diff(tops, axis=1) <= 0).all()
    assert (tops[:, 0] >= np.array(with_top.logprobs)).all()
    assert with_top.deliveries[0].top_ids is not None
    assert without_top.deliveries[0].top_ids is None


class Gate(StepRunner):
    """A runner that waits before each step until it is let through, or fails when told to."""

    def __init__(self, graph: ModelGraph, max_lanes: int) -> None:
        super().__init__(graph, max_lanes)
        self.stepping = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.failure: Exception | None = None

    def step(self, n: int) -> None:
        self.entered.release()
        assert self.stepping.acquire(timeout=_SECONDS)
        if self.failure is not None:
            raise self.failure
        super().step(n)

    def let(self, steps: int) -> None:
        self.stepping.release(steps)


def endless(inbox: Inbox, **fields: object) -> Lane:
    return Lane(some_ids(0), inbox, sampling=Sampling(10**6, 1), **fields)  # type: ignore[arg-type]


def test_a_cancelled_lane_is_gone_at_the_next_step() -> None:
    gate = Gate(GRAPH, 4)
    kept, gone = Inbox(), Inbox()
    with engine(runner=gate) as e:
        lanes = [endless(kept), endless(gone)]
        e.submit(lanes)
        assert gate.entered.acquire(timeout=_SECONDS)
        e.cancel(lanes[1:])
        gate.let(1)
        assert gate.entered.acquire(timeout=_SECONDS)
        assert e.num_live == 1
        gate.let(1000)
    assert gone.deliveries == []


def test_a_waiting_lane_that_is_cancelled_never_joins() -> None:
    gate = Gate(GRAPH, 1)
    with engine(runner=gate) as e:
        first, second = endless(Inbox()), endless(Inbox())
        e.submit([first])
        assert gate.entered.acquire(timeout=_SECONDS)
        e.submit([second])
        e.cancel([second])
        gate.let(1)
        assert gate.entered.acquire(timeout=_SECONDS)
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
        assert gate.entered.acquire(timeout=_SECONDS)
        now[0] = 200.0
        gate.let(1)
        assert isinstance(late.wait().error, DeadlineExceeded)
        assert gate.entered.acquire(timeout=_SECONDS)
        assert e.num_live == 1
        gate.let(1000)


def test_a_full_queue_refuses_a_request_whole() -> None:
    gate = Gate(GRAPH, 1)
    with engine(runner=gate, max_waiting=2) as e:
        e.submit([endless(Inbox())])
        assert gate.entered.acquire(timeout=_SECONDS)
        with pytest.raises(QueueFull):
            e.submit([endless(Inbox()) for _ in range(3)])
        assert e.num_waiting == 0
        gate.let(1000)


def test_a_failing_step_ends_everybody_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    gate, inboxes = Gate(GRAPH, 2), [Inbox() for _ in range(5)]
    with caplog.at_level(logging.ERROR), engine(runner=gate) as e:
        e.submit([endless(inbox) for inbox in inboxes])
        assert gate.entered.acquire(timeout=_SECONDS)
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
