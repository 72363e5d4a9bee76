"""Holds the running lanes of one engine, and advances them by a few characters per call.

No threads and no queue: `join`, `step`, `leave`. A step touches arrays only; the few rows that have an event
(a delivery due, a stop, a passed deadline) are then handled one by one.
"""

import time

import numpy as np

from nextchar.engine.adaptive.hot_tables import HotUse
from nextchar.engine.adaptive.tables import DEFAULT_TABLE_BYTES
from nextchar.engine.lane import Lane
from nextchar.engine.lane_arrays import LaneArrays
from nextchar.engine.lane_events import LaneEvents
from nextchar.engine.lane_steps import LaneSteps
from nextchar.engine.sampler import Indices
from nextchar.engine.work import Delivery, FinishReason, Level, Outbox
from nextchar.errors import NextcharError
from nextchar.model.step_runner import StepRunner, fitting_steps
from nextchar.telemetry.engine_stats import EngineStats

# Row steps that a call may waste beyond the ends of rows to save another call: as many as the fixed cost of a
# call is worth, which is the steps of a few rows or, of many rows, a part (1/4) of one step of all.
_MIN_OVERRUN, _OVERRUN_PART = 8, 4


class LaneBatch:
    """Holds lanes in dense rows: interactive ones first, then sampling ones.

    Interactive lanes are in rows 0 … num_interactive-1, so that a step can be for them alone. A row that a
    lane leaves is filled from the end of its kind.
    """

    def __init__(
        self, runner: StepRunner, stats: EngineStats, max_table_bytes: int = DEFAULT_TABLE_BYTES
    ) -> None:
        self._runner = runner
        vocabulary = runner.graph.vocabulary
        self._begin_id = vocabulary.begin_id
        self._arrays = LaneArrays(vocabulary, runner.inverse_temperature, runner.max_steps, max_table_bytes)
        self._events = LaneEvents(self._arrays, runner)
        self._stats = stats
        self.lanes: list[Lane] = []
        self._steps = LaneSteps(self._arrays, runner, self._events, self.lanes)
        self.num_interactive = 0
        self.num_done = [0, 0]  # steps of interactive and sampling lanes, with those an early end has saved
        self.num_steps = 1  # of the last call
        self._num_overrun = 0  # row steps of completions beyond their ends in it

    @property
    def num_adaptive(self) -> int:
        """The number of running lanes that are adaptive."""
        return self._arrays.adaptive.num_active

    @property
    def table_bytes(self) -> int:
        """The bytes of the tables of running adaptive lanes."""
        return self._arrays.adaptive.num_bytes

    @property
    def hot_tables(self) -> HotUse:
        """The use of the tables that are kept of adaptive lanes that have ended."""
        return self._arrays.adaptive.hot

    def reserve(self, lane: Lane) -> bool:
        """Takes room for the tables of a lane that joins next; returns whether there was."""
        return self._arrays.adaptive.reserve(lane)

    def longest(self, level: Level) -> int:
        """Returns the steps left of a level's longest lane; read by any thread, it may be one call late."""
        return max(
            (
                lane.num_steps - lane.num_planned + self._arrays.num_left(lane.row)
                for lane in tuple(self.lanes)
                if lane.level is level
            ),
            default=0,
        )

    def join(self, lane: Lane, now: float) -> Delivery | None:
        """Gives a lane a row; returns the delivery of one that is done before its first step."""
        lane.joined = now
        if lane.num_steps == 0:
            finish = FinishReason.LENGTH if lane.sampling else FinishReason.GIVEN
            lane.state, lane.kept = lane.start, lane.memory
            return Delivery(np.empty(0, dtype=np.int64), np.empty(0), finish=finish)
        row = len(self.lanes)
        self.lanes.append(lane)
        if lane.level is Level.INTERACTIVE:
            if self.num_interactive < row:
                self._move(self.num_interactive, row)
            row = self.num_interactive
            self.num_interactive += 1
        self.lanes[row] = lane
        lane.row = row
        if lane.start is None:
            self._runner.reset(row)
            self._runner.ids[row] = self._begin_id
        else:
            self._runner.write_state(row, lane.start.arrays)
            self._runner.ids[row] = lane.start.last_id
        if lane.keeps_state and not len(lane.given):
            lane.state, lane.kept = lane.start, lane.memory
        self._arrays.join(row, lane)
        return None

    def leave(self, lane: Lane) -> None:
        """Frees a lane's row."""
        hole, last = lane.row, len(self.lanes) - 1
        self.num_done[lane.level] += lane.num_steps - lane.num_planned + self._arrays.num_left(hole)
        self._arrays.leave(lane)
        if lane.level is Level.INTERACTIVE:
            self.num_interactive -= 1
            if hole != self.num_interactive:
                self._move(self.num_interactive, hole)
            hole = self.num_interactive
        if hole != last:
            self._move(last, hole)
        self.lanes.pop()
        lane.row = -1

    def _move(self, source: int, target: int) -> None:
        self._arrays.move(source, target)
        self._runner.move(source, target)
        moved = self.lanes[target] = self.lanes[source]
        moved.row = target

    def step(self, level: Level, max_steps: int) -> Outbox:
        """Advances the interactive lanes, or all, by up to `max_steps` characters; returns the deliveries."""
        n = self.num_interactive if level is Level.INTERACTIVE else len(self.lanes)
        if n == 0:
            return []
        started = time.perf_counter()
        num_steps = self.num_steps = self._choose_steps(n, max_steps)
        stepped = self._steps.advance(n, num_steps)
        self.num_done[Level.INTERACTIVE] += self.num_interactive * num_steps
        self.num_done[Level.SAMPLING] += (n - self.num_interactive) * num_steps - self._num_overrun
        outbox = self._collect(n)
        self._stats.add_steps(n, num_steps, stepped, time.perf_counter() - started - stepped)
        return outbox

    def _choose_steps(self, n: int, max_steps: int) -> int:
        """Returns as many steps as every row can go before its next event.

        A few rows may run beyond their ends, if the last part of the call is worth it for the others.
        """
        arrays = self._arrays
        free = int((arrays.run_until[:n] - arrays.cursor[:n]).min())
        num_steps = fitting_steps(max(1, min(free, max_steps)))
        max_overrun = max(_MIN_OVERRUN, n // _OVERRUN_PART)
        left = arrays.end[:n] - arrays.cursor[:n]
        shortest = int(left.min())
        while num_steps > shortest:
            fewer = fitting_steps(num_steps - 1)
            more = num_steps - fewer
            num_used = int(np.minimum(np.maximum(left - fewer, 0), more).sum())
            if n * more - num_used <= min(num_used, max_overrun):
                break
            num_steps = fewer
        self._num_overrun = int(np.maximum(num_steps - left, 0).sum()) if num_steps > shortest else 0
        return num_steps

    def _collect(self, n: int) -> Outbox:
        """Handles the rows that have an event, frees those of finished lanes; returns the deliveries."""
        arrays, now = self._arrays, time.monotonic()
        cursor = arrays.cursor[:n]
        due = cursor >= arrays.event_at[:n]
        if arrays.num_timed:
            due |= arrays.deliver_by[:n] <= now
        # Rows to be handled one by one; the others that are due are delivered together.
        special = cursor >= arrays.end[:n]
        if arrays.num_stopping:
            special |= self._steps.triggered[:n] & (cursor > arrays.num_given[:n])
        if arrays.host_sampler.masks.num_patterns:
            special |= arrays.host_sampler.masks.over[:n] & arrays.host_sampler.enabled[:n]
        expired = arrays.expired(len(self.lanes), now)
        special[expired[expired < n]] = True  # rows that were not stepped have their turn later
        special |= due & ~arrays.is_plain[:n]
        outbox = self._deliver(np.flatnonzero(due & ~special), now)
        lanes = [self.lanes[row] for row in special.nonzero()[0]]
        handled = [(lane, self._events.handle(lane, now)) for lane in lanes]
        outbox += [(lane, delivery) for lane, delivery in handled if delivery is not None]
        for lane, delivery in handled:
            if delivery is not None and delivery.last:
                self.leave(lane)
        return outbox

    def _deliver(self, rows: Indices, now: float) -> Outbox:
        """Takes the deliveries of rows that have no other event."""
        if not len(rows):
            return []
        lanes = [self.lanes[row] for row in rows.tolist()]
        return list(zip(lanes, self._arrays.take_plain(rows, now), strict=True))

    def fail(self, error: NextcharError) -> Outbox:
        """Ends every lane with an error; returns the deliveries."""
        outbox: Outbox = [(lane, lane.failed(error)) for lane in self.lanes]
        for lane in self.lanes:
            self._arrays.leave(lane)
        self.lanes.clear()
        self.num_interactive = 0
        return outbox
