"""Runs several engines for one model, which share its weights and its work."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Self

from nextchar.engine.adaptive.hot_tables import HotUse
from nextchar.engine.engine import Engine
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import Level, Outbox, Work
from nextchar.errors import NextcharError
from nextchar.model.graph import ModelGraph
from nextchar.telemetry.engine_stats import EngineStats


class EnginePool:
    """Runs `num_threads` engines over one graph, each with its own rows; a context manager, as an engine is.

    Work goes to the engine that has the least to do, live requests to that with the fewest of their own: a
    spare engine is the last to have one. Which engine it is changes no byte of a response.
    """

    def __init__(
        self,
        graph: ModelGraph,
        options: EngineOptions,
        *,
        num_threads: int,
        deliver: Callable[[Outbox], object],
        load_seconds: float = 0.0,
    ) -> None:
        self._engines = [
            Engine(graph, options, deliver=deliver, load_seconds=load_seconds, number=number)
            for number in range(num_threads)
        ]
        self._share, self._running = options.share, ExitStack()
        self.num_held = 0
        self.max_waiting = num_threads * options.max_waiting
        self.max_lanes = num_threads * (options.max_lanes + options.reserved_lanes)
        self.max_bulk_lanes = num_threads * options.max_bulk_lanes
        self.max_table_bytes = num_threads * options.max_table_bytes

    def __enter__(self) -> Self:
        with ExitStack() as running:
            for engine in self._engines:
                running.enter_context(engine)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def __len__(self) -> int:
        return len(self._engines)

    @property
    def num_parts(self) -> int:
        """How many engines are to share one request's strings: those that make way for nothing now."""
        return self._slowness().count(1.0)

    def _slowness(self) -> list[float]:
        now = time.perf_counter()
        return [self._share.slowness(number, now) for number in range(len(self._engines))]

    def hold(self) -> None:
        """Counts a request that uses the engines; they are not stopped before it calls `release`."""
        self.num_held += 1

    def release(self) -> None:
        """Ends what `hold` began."""
        self.num_held -= 1

    @property
    def ready(self) -> bool:
        return all(engine.ready for engine in self._engines)

    @property
    def num_waiting(self) -> int:
        return sum(engine.num_waiting for engine in self._engines)

    @property
    def num_running(self) -> int:
        return sum(engine.num_running for engine in self._engines)

    @property
    def num_adaptive(self) -> int:
        return sum(engine.num_adaptive for engine in self._engines)

    @property
    def table_bytes(self) -> int:
        return sum(engine.table_bytes for engine in self._engines)

    @property
    def hot_tables(self) -> HotUse:
        uses = [engine.hot_tables for engine in self._engines]
        return HotUse(
            num_tables=sum(use.num_tables for use in uses),
            num_bytes=sum(use.num_bytes for use in uses),
            num_hits=sum(use.num_hits for use in uses),
            num_misses=sum(use.num_misses for use in uses),
        )

    def seconds_left(self) -> float:
        """Estimates when the busiest engine has finished its work, as `Engine.seconds_left` does."""
        return max(engine.seconds_left() for engine in self._engines)

    @property
    def stats(self) -> list[EngineStats]:
        """The counts of each engine."""
        return [engine.stats for engine in self._engines]

    def submit(self, works: Sequence[Work]) -> None:
        """Queues work on the engines, all of it or none; raises as `Engine.submit`."""
        loads = [engine.load for engine in self._engines]
        live = [engine.num_live for engine in self._engines]
        slowness, alike = self._slowness(), [1.0] * len(self._engines)
        for work in works:
            is_live = work.level is Level.INTERACTIVE
            counts, slow = (live, alike) if is_live else (loads, slowness)
            ends = [(count + work.num_strings) * times for count, times in zip(counts, slow, strict=True)]
            work.engine = ends.index(min(ends))
            counts[work.engine] += work.num_strings
        submitted: list[Work] = []
        for index, engine in enumerate(self._engines):
            mine = [work for work in works if work.engine == index]
            if not mine:  # it is not woken
                continue
            try:
                engine.submit(mine)
            except NextcharError:
                self.cancel(submitted)
                raise
            submitted += mine

    def cancel(self, works: Sequence[Work]) -> None:
        """Cancels work; ignores work that has ended or was never submitted."""
        for index, engine in enumerate(self._engines):
            if mine := [work for work in works if work.engine == index]:
                engine.cancel(mine)
