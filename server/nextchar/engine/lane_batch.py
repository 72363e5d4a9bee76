"""The live lanes of one engine, and the step that advances them by a few characters.

No threads and no queue: `join`, `step`, `leave`. A step touches arrays only; the few rows where
something happens (an event, a stop, a passed deadline) are then looked at one by one.
"""

import time

import numpy as np

from nextchar.engine.lane import Delivery, FinishReason, Lane, Level, Outbox
from nextchar.engine.lane_arrays import MAX_TOP, LaneArrays
from nextchar.engine.lane_events import LaneEvents
from nextchar.engine.sampler import Indices, top
from nextchar.errors import NextcharError
from nextchar.model.step_runner import StepRunner, Window, fitting_steps
from nextchar.telemetry.engine_stats import EngineStats

# Steps past the ends of rows in the last part of a call, for fewer calls: less than what a call costs
# beside its steps, which is the steps of some rows, and of many rows a part of a step of all.
_MIN_PAST, _PAST_PART = 8, 4


class LaneBatch:
    """Lanes in dense rows: live ones in rows 0 … num_live-1, so that a step can be for them alone,
    then sampling ones. A hole that a lane leaves is filled from the end of its kind.
    """

    def __init__(self, runner: StepRunner, stats: EngineStats) -> None:
        self._runner = runner
        vocabulary = runner.graph.vocabulary
        self._begin_id = vocabulary.begin_id
        self._slab = LaneArrays(vocabulary, runner.inverse_temperature, runner.max_steps)
        self._events = LaneEvents(self._slab, runner)
        self._starts = np.arange(runner.max_lanes) * self._slab.symbols.shape[1]
        self._offsets = np.arange(runner.max_steps)[:, None]
        self._stats = stats
        self.lanes: list[Lane] = []
        self.num_interactive = 0
        self.num_done = [0, 0]  # steps of live and of sampling lanes, and those an early end has spared
        self.num_steps = 1  # of the last call
        self._num_past = 0  # steps of completions that were past their ends in it

    def longest(self, level: Level) -> int:
        """The steps that the longest lane of a level has yet to take. Any thread may ask, a call late."""
        return max(
            (
                lane.num_steps - lane.num_planned + self._slab.num_left(lane.row)
                for lane in tuple(self.lanes)
                if lane.level is level
            ),
            default=0,
        )

    def join(self, lane: Lane, now: float) -> Delivery | None:
        """Give a lane a row; the delivery of one that is done before its first step."""
        lane.joined = now
        if lane.num_steps == 0:
            finish, lane.state = FinishReason.LENGTH if lane.sampling else FinishReason.GIVEN, lane.start
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
        self._slab.join(row, lane)
        return None

    def leave(self, lane: Lane) -> None:
        """Take a lane's row away."""
        hole, last = lane.row, len(self.lanes) - 1
        self.num_done[lane.level] += lane.num_steps - lane.num_planned + self._slab.num_left(hole)
        self._slab.leave(lane)
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
        self._slab.move(source, target)
        self._runner.move(source, target)
        moved = self.lanes[target] = self.lanes[source]
        moved.row = target

    def step(self, level: Level, max_steps: int) -> Outbox:
        """Advance the live lanes, or all, by up to `max_steps` characters; what there is to deliver."""
        n = self.num_interactive if level is Level.INTERACTIVE else len(self.lanes)
        if n == 0:
            return []
        started = time.perf_counter()
        num_steps = self.num_steps = self._choose_steps(n, max_steps)
        window = self._runner.window(n, num_steps)
        positions = self._starts[:n] + self._slab.cursor[:n] + self._offsets[:num_steps]
        np.take(self._slab.symbols, positions, out=window.given, mode="clip")
        if self._slab.num_sampling:
            np.take(self._slab.uniforms, positions, out=window.uniforms, mode="clip")
        before = time.perf_counter()
        self._runner.step(n, num_steps, others=n < len(self.lanes))
        stepped = time.perf_counter() - before
        self._keep(window, positions, n)
        self.num_done[Level.INTERACTIVE] += self.num_interactive * num_steps
        self.num_done[Level.SAMPLING] += (n - self.num_interactive) * num_steps - self._num_past
        outbox = self._collect(window, n)
        self._stats.add_steps(n, num_steps, stepped, time.perf_counter() - started - stepped)
        return outbox

    def _choose_steps(self, n: int, max_steps: int) -> int:
        """As many as every row can go without being looked at.

        A few rows may go past their ends, if the last part of the call is worth it to the others.
        """
        slab = self._slab
        free = int((slab.run_until[:n] - slab.cursor[:n]).min())
        num_steps = fitting_steps(max(1, min(free, max_steps)))
        max_past = max(_MIN_PAST, n // _PAST_PART)
        left = slab.end[:n] - slab.cursor[:n]
        shortest = int(left.min())
        while num_steps > shortest:
            fewer = fitting_steps(num_steps - 1)
            more = num_steps - fewer
            num_used = int(np.minimum(np.maximum(left - fewer, 0), more).sum())
            if n * more - num_used <= min(num_used, max_past):
                break
            num_steps = fewer
        self._num_past = int(np.maximum(num_steps - left, 0).sum()) if num_steps > shortest else 0
        return num_steps

    def _keep(self, window: Window, positions: Indices, n: int) -> None:
        """Write what the rows have passed into their chunks."""
        slab = self._slab
        if slab.shaping.num_on:
            self._draw(window, n)
        if slab.num_topped:
            self._keep_top(n)
        slab.symbols.reshape(-1)[positions] = window.symbols
        slab.logprobs.reshape(-1)[positions] = window.logprobs
        cursor = slab.cursor[:n]
        np.minimum(cursor + len(positions), slab.end[:n], out=cursor)

    def _draw(self, window: Window, n: int) -> None:
        """Draw for the rows whose draws need more than the graph knows, in its place."""
        slab, runner = self._slab, self._runner
        rows = np.flatnonzero(slab.shaping.on[:n] & (slab.cursor[:n] >= slab.num_given[:n]))
        if not len(rows):
            return
        logprobs = runner.distribution[rows].astype(np.float64)
        drawn = slab.shaping.draw(rows, logprobs, slab.uniforms[rows, slab.cursor[rows]])
        runner.distribution[rows] = logprobs
        window.symbols[-1, rows] = runner.ids[rows] = drawn
        window.logprobs[-1, rows] = logprobs[np.arange(len(rows)), drawn]

    def _keep_top(self, n: int) -> None:
        rows = np.flatnonzero(self._slab.num_top[:n])
        logprobs = self._runner.distribution[rows].astype(np.float64)
        ids = top(logprobs, MAX_TOP)
        cursor, k = self._slab.cursor[rows], ids.shape[1]
        self._slab.top_ids[rows, cursor, :k] = ids
        self._slab.top_logprobs[rows, cursor, :k] = np.take_along_axis(logprobs, ids, axis=1)

    def _collect(self, window: Window, n: int) -> Outbox:
        """Look at the rows where something happened; the lanes that are done leave."""
        slab, now = self._slab, time.monotonic()
        cursor = slab.cursor[:n]
        due = cursor >= slab.event_at[:n]
        if slab.num_timed:
            due |= slab.deliver_by[:n] <= now
        # Rows that must be looked at one by one; the others that are due are delivered together.
        special = cursor >= slab.end[:n]
        if slab.num_stopping:
            rows = np.arange(n)
            special |= slab.triggers[rows, window.symbols].any(axis=0) & (cursor > slab.num_given[:n])
        if slab.shaping.masks.num_patterns:
            special |= slab.shaping.masks.over[:n] & slab.shaping.on[:n]
        late = slab.late(len(self.lanes), now)
        special[late[late < n]] = True  # rows that were not stepped have their turn later
        special |= due & ~slab.is_plain[:n]
        outbox = self._deliver(np.flatnonzero(due & ~special), now)
        looked = [
            (lane, self._events.look(lane, now)) for lane in [self.lanes[row] for row in special.nonzero()[0]]
        ]
        outbox += [(lane, delivery) for lane, delivery in looked if delivery is not None]
        for lane, delivery in looked:
            if delivery is not None and delivery.last:
                self.leave(lane)
        return outbox

    def _deliver(self, rows: Indices, now: float) -> Outbox:
        """What rows with nothing else to look at have passed."""
        if not len(rows):
            return []
        lanes = [self.lanes[row] for row in rows.tolist()]
        return list(zip(lanes, self._slab.take_plain(rows, now), strict=True))

    def fail(self, error: NextcharError) -> Outbox:
        """End every lane with an error."""
        outbox: Outbox = [(lane, lane.failed(error)) for lane in self.lanes]
        for lane in self.lanes:
            self._slab.leave(lane)
        self.lanes.clear()
        self.num_interactive = 0
        return outbox
