"""Makes lanes for tests and runs them in a real engine."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import pytest
from support.tiny_models import TEXT

from nextchar.engine.cooperative import Cooperative
from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.options import MAX_STEPS, EngineOptions
from nextchar.engine.trie import Trie, build_trie
from nextchar.engine.turns.scheduler import Scheduler
from nextchar.engine.work import UNLIMITED, Delivery, Level, Outbox, Work
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

T = TypeVar("T")
SECONDS = 30
_MAX_BLOCKED = 64  # engines of one test
NOTHING = np.empty(0, dtype=np.int64)
GRAPH = TEXT.step()
VOCABULARY = GRAPH.vocabulary


class Inbox:
    """Collects a lane's deliveries; `wait` returns when the last has come."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.first = threading.Event()
        self._last = threading.Event()

    def receive(self, _work: Work, delivery: Delivery, /) -> None:
        self.deliveries.append(delivery)
        self.first.set()
        if delivery.last:
            self._last.set()

    def wait(self) -> Delivery:
        assert self._last.wait(SECONDS)
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
    for work, delivery in outbox:
        work.receiver.receive(work, delivery)


@contextmanager
def engine(
    graph: ModelGraph = GRAPH,
    *,
    max_lanes: int = 8,
    reserved_lanes: int = 0,
    max_waiting: int = 1000,
    max_steps: int = MAX_STEPS,
    load_seconds: float = 0.0,
) -> Iterator[Engine]:
    options = EngineOptions(max_lanes, reserved_lanes, max_lanes, max_waiting, max_steps=max_steps)
    with Engine(graph, options, deliver=deliver, load_seconds=load_seconds) as made:
        yield made


def run(
    works: Sequence[Work], graph: ModelGraph = GRAPH, *, max_lanes: int = 64, max_steps: int = MAX_STEPS
) -> list[Inbox]:
    """Runs work together; returns an inbox for each."""
    inboxes = [Inbox() for _ in works]
    for work, inbox in zip(works, inboxes, strict=True):
        work.receiver = inbox
    with engine(graph, max_lanes=max_lanes, max_steps=max_steps) as e:
        e.submit(works)
        for inbox in inboxes:
            inbox.wait()
    return inboxes


def at_once(work: Cooperative[T]) -> T:
    """Runs cooperative work to its end without an event loop; returns its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def make_trie(strings: Sequence[np.ndarray], begin_id: int, context: np.ndarray) -> Trie:
    return at_once(build_trie(strings, begin_id, context))


def gathered(trie: Trie, logprobs: np.ndarray) -> np.ndarray:
    """Returns the log-probabilities of all strings' symbols, string after string, from those of nodes."""
    lengths = np.zeros(trie.num_strings, dtype=np.int64)
    lengths[trie._order] = trie._lengths
    into = np.empty(int(lengths.sum()))
    at_once(trie.gather(logprobs, into, np.cumsum(lengths) - lengths))
    return into


def some_ids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCABULARY.num_outputs, count)


class Gate:
    """Blocks every engine of a test before each call of a graph until it is let through, or makes it fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._passing = threading.Semaphore(0)
        self._entered = threading.Semaphore(0)
        self._open = threading.Event()
        self.failure: Exception | None = None
        step = StepRunner.step

        def gated(runner: StepRunner, n: int, num_steps: int = 1, **how: bool) -> None:
            self._entered.release()
            if not self._open.is_set():
                assert self._passing.acquire(timeout=SECONDS)
            if self.failure is not None:
                raise self.failure
            step(runner, n, num_steps, **how)

        monkeypatch.setattr(StepRunner, "step", gated)

    def reached(self) -> None:
        """Returns when a call is blocked here."""
        assert self._entered.acquire(timeout=SECONDS)

    def let(self, calls: int = 1) -> None:
        """Lets calls through."""
        self._passing.release(calls)

    def let_blocked(self) -> None:
        """Lets a call through if one is blocked now."""
        if self._entered.acquire(blocking=False):
            self.let()

    def let_and_reach(self, calls: int) -> None:
        """Lets calls through, each once it is blocked; returns when the next is, and these are counted."""
        for _ in range(calls):
            self.let()
            self.reached()

    def open(self) -> None:
        """Lets all calls through, those that are blocked and those to come."""
        self._open.set()
        self._passing.release(_MAX_BLOCKED)


def endless(inbox: Inbox, **fields: object) -> Lane:
    return Lane(some_ids(0), receiver=inbox, sampling=Sampling(10**6, 1), **fields)  # type: ignore[arg-type]


def interactive(deadline: float = UNLIMITED, priority: int = 0) -> Lane:
    return Lane(np.zeros(1, dtype=np.int64), deadline=deadline, priority=priority)


def sampling(priority: int = 0) -> Lane:
    return Lane(NOTHING, sampling=Sampling(10, 1), priority=priority)


def job(num_strings: int = 1, deadline: float = UNLIMITED) -> ScoreJob:
    return ScoreJob(make_trie([NOTHING] * num_strings, 9, NOTHING), deadline=deadline)


def reserve_nothing(_lane: Lane) -> bool:
    """Has room for every lane: plain ones need no tables."""
    return True


def scheduler(
    max_lanes: int = 4, max_sampling: int = 4, max_waiting: int = 100, max_wait_seconds: float = UNLIMITED
) -> Scheduler:
    return Scheduler(
        max_lanes=max_lanes,
        max_sampling=max_sampling,
        max_jobs=2,
        max_waiting=max_waiting,
        max_wait_seconds=max_wait_seconds,
    )


class Batch:
    """Runs a batch, and counts by itself what the numbers of the batch must be."""

    def __init__(self, max_lanes: int, graph: ModelGraph = GRAPH, stats: EngineStats | None = None) -> None:
        self.graph = graph
        self.batch = LaneBatch(StepRunner(graph, max_lanes, 16), stats or EngineStats())
        self.deliveries: dict[Lane, list[Delivery]] = {}
        self.left: dict[Lane, int] = {}
        self.all_steps = [0, 0]

    def join(self, lane: Lane, now: float = 0.0) -> None:
        self.all_steps[lane.level] += lane.num_steps
        self.deliveries[lane] = []
        assert self.batch.reserve(lane)
        done = self.batch.join(lane, now)
        assert lane.joined == now
        if done is None:
            self.left[lane] = lane.num_steps
        else:
            self.deliveries[lane] = [done]

    def leave(self, lane: Lane) -> None:
        self.batch.leave(lane)
        del self.left[lane], self.deliveries[lane]

    def step(self, level: Level, max_steps: int) -> list[Lane]:
        """Runs a call; returns the lanes that have ended."""
        outbox = self.batch.step(level, max_steps)
        for lane, delivery in outbox:
            assert isinstance(lane, Lane)
            self.deliveries[lane].append(delivery)
        ended = [lane for lane, delivery in outbox if delivery.last]
        for lane in self.left:
            if lane.level <= level:
                self.left[lane] = max(0, self.left[lane] - self.batch.num_steps)
        for lane in ended:
            del self.left[lane]
        return ended  # type: ignore[return-value]

    def to_end(self) -> None:
        while self.batch.lanes:
            self.step(Level.SAMPLING, 1)

    def check(self) -> None:
        """Compares every number that others read."""
        batch, arrays, lanes = self.batch, self.batch._arrays, list(self.left)
        assert set(batch.lanes) == set(lanes)
        assert [lane.row for lane in batch.lanes] == list(range(len(lanes)))
        levels = [lane.level for lane in batch.lanes]
        assert levels == sorted(levels)
        assert batch.num_interactive == levels.count(Level.INTERACTIVE)
        for level in (Level.INTERACTIVE, Level.SAMPLING):
            left = [n for lane, n in self.left.items() if lane.level is level]
            assert batch.longest(level) == max(left, default=0)
            assert batch.num_done[level] + sum(left) == self.all_steps[level]
        drawn = [lane.sampling for lane in lanes if lane.sampling is not None]
        has_end = self.graph.vocabulary.end_id is not None
        assert arrays.num_sampling == len(drawn)
        assert arrays.num_stopping == sum(bool(s.stop) or has_end for s in drawn)
        assert arrays.num_topped == sum(lane.num_top > 0 for lane in lanes)
        assert arrays.num_timed == sum(s.seconds_per_delivery < UNLIMITED for s in drawn)
        assert arrays.host_sampler.num_enabled == sum(s.needs_host for s in drawn)
        assert arrays.host_sampler.masks.num_patterns == sum(s.automaton is not None for s in drawn)
