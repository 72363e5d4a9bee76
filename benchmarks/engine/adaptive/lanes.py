"""Runs lanes in one engine and waits for them."""

import threading
from collections.abc import Sequence

from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import Delivery, Outbox, Work
from nextchar.model.graph import ModelGraph

_SECONDS = 3600


class _Inbox:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.ended = threading.Event()

    def receive(self, _work: Work, delivery: Delivery, /) -> None:
        self.deliveries.append(delivery)
        if delivery.last:
            self.ended.set()


def run_lanes(graph: ModelGraph, lanes: Sequence[Lane]) -> list[list[Delivery]]:
    """Runs lanes together, in an engine with as many rows; returns the deliveries of each."""
    with engine_for(graph, len(lanes)) as engine:
        return run_in(engine, lanes)


def engine_for(graph: ModelGraph, num_lanes: int) -> Engine:
    """Makes an engine with as many rows, to be entered."""
    return Engine(graph, EngineOptions(num_lanes, 0, 1, num_lanes), deliver=_deliver)


def run_in(engine: Engine, lanes: Sequence[Lane]) -> list[list[Delivery]]:
    """Runs lanes together in an engine; returns the deliveries of each."""
    inboxes = [_Inbox() for _ in lanes]
    for lane, inbox in zip(lanes, inboxes, strict=True):
        lane.receiver = inbox
    engine.submit(lanes)
    for inbox in inboxes:
        assert inbox.ended.wait(_SECONDS)
        assert inbox.deliveries[-1].error is None
    return [inbox.deliveries for inbox in inboxes]


def _deliver(outbox: Outbox) -> None:
    for work, delivery in outbox:
        work.receiver.receive(work, delivery)
