"""Several engines for one model: its weights once, its work spread over threads."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Self

from nextchar.engine.engine import Engine, EngineOptions
from nextchar.engine.work import Outbox, Work
from nextchar.errors import NextcharError
from nextchar.model.graph import ModelGraph
from nextchar.telemetry.engine_stats import EngineStats


class EnginePool:
    """`num_threads` engines over one graph, each with rows of its own. A context manager, as they are.

    Work goes where least runs and waits. Which engine that is changes no byte of an answer.
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
            Engine(graph, options, deliver=deliver, load_seconds=load_seconds) for _ in range(num_threads)
        ]
        self._running = ExitStack()
        self.max_waiting = num_threads * options.max_waiting
        self.max_lanes = num_threads * (options.max_lanes + options.reserved_lanes)
        self.max_bulk_lanes = num_threads * options.max_bulk_lanes

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
    def ready(self) -> bool:
        return all(engine.ready for engine in self._engines)

    @property
    def num_waiting(self) -> int:
        return sum(engine.num_waiting for engine in self._engines)

    @property
    def num_running(self) -> int:
        return sum(engine.num_running for engine in self._engines)

    def seconds_left(self) -> float:
        """How long the engine with the most to do takes for it, as `Engine.seconds_left`."""
        return max(engine.seconds_left() for engine in self._engines)

    @property
    def stats(self) -> list[EngineStats]:
        """Each engine's counts."""
        return [engine.stats for engine in self._engines]

    def submit(self, works: Sequence[Work]) -> None:
        """Let work run as soon as there is room, all or none; raises as `Engine.submit`."""
        loads = [engine.load for engine in self._engines]
        for work in works:
            work.engine = loads.index(min(loads))
            loads[work.engine] += work.num_strings
        submitted: list[Work] = []
        for index, engine in enumerate(self._engines):
            mine = [work for work in works if work.engine == index]
            try:
                engine.submit(mine)
            except NextcharError:
                self.cancel(submitted)
                raise
            submitted += mine

    def cancel(self, works: Sequence[Work]) -> None:
        """Nobody waits for this work any more; work that is done or was never submitted is fine."""
        for index, engine in enumerate(self._engines):
            engine.cancel([work for work in works if work.engine == index])
