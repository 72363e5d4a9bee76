"""Steps a batch of lanes by hand, and counts what its numbers are to be."""

from support.engine_lanes import GRAPH

from nextchar.engine.lane import Lane
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.work import UNLIMITED, Delivery, Level
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats


class Batch:
    """A batch, and what its numbers are to be by a count of our own."""

    def __init__(self, max_lanes: int, graph: ModelGraph = GRAPH, stats: EngineStats | None = None) -> None:
        self.graph = graph
        self.batch = LaneBatch(StepRunner(graph, max_lanes, 16), stats or EngineStats())
        self.deliveries: dict[Lane, list[Delivery]] = {}
        self.left: dict[Lane, int] = {}
        self.all_steps = [0, 0]

    def join(self, lane: Lane, now: float = 0.0) -> None:
        self.all_steps[lane.level] += lane.num_steps
        self.deliveries[lane] = []
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
