"""Lanes for tests, and a real engine to run them in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from tiny_models import TEXT

from nextchar.batch import Outbox
from nextchar.engine import Engine
from nextchar.lane import Delivery, Lane, Sampling
from nextchar.runner import ModelGraph, StepRunner

SECONDS = 30
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


class Gate(StepRunner):
    """A runner that waits before each step until it is let through, or fails when told to."""

    def __init__(self, graph: ModelGraph, max_lanes: int) -> None:
        super().__init__(graph, max_lanes)
        self.stepping = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.failure: Exception | None = None

    def step(self, n: int) -> None:
        self.entered.release()
        assert self.stepping.acquire(timeout=SECONDS)
        if self.failure is not None:
            raise self.failure
        super().step(n)

    def let(self, steps: int) -> None:
        self.stepping.release(steps)


def endless(inbox: Inbox, **fields: object) -> Lane:
    return Lane(some_ids(0), inbox, sampling=Sampling(10**6, 1), **fields)  # type: ignore[arg-type]
