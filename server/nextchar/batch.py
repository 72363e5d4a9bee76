"""The live lanes of one engine, and the step that advances them all by one character.

No threads and no queue: `join`, `step`, `leave`. A step touches arrays only; the few rows where
something happens (an event, a stop, a passed deadline) are then looked at one by one.
"""

import time

import numpy as np

from nextchar.engine_stats import EngineStats
from nextchar.errors import DeadlineExceeded, NextcharError
from nextchar.lane import Delivery, Finish, Lane, Priority
from nextchar.runner import StepRunner
from nextchar.sampler import Doubles, Indices, Softmax, draw, tempered, top, truncated, without
from nextchar.slab import MAX_TOP, LaneSlab

Outbox = list[tuple[Lane, Delivery]]


class Batch:
    """Lanes in dense rows 0 … num_live-1; the last row moves into the hole a lane leaves."""

    def __init__(self, runner: StepRunner, stats: EngineStats) -> None:
        self._runner = runner
        self._vocabulary = runner.graph.vocabulary
        self._slab = LaneSlab(self._vocabulary, runner.max_lanes)
        self._rows = np.arange(runner.max_lanes)
        self._stats = stats
        self.lanes: list[Lane] = []
        self.num_bulk = 0

    def join(self, lane: Lane, now: float) -> Delivery | None:
        """Give a lane a row; the delivery of one that is done before its first step."""
        lane.joined = now
        if lane.num_steps == 0:
            finish = Finish.LENGTH if lane.sampling else Finish.GIVEN
            return Delivery(np.empty(0, dtype=np.int64), np.empty(0), finish=finish)
        lane.row = len(self.lanes)
        self.lanes.append(lane)
        self.num_bulk += lane.priority is Priority.BULK
        self._runner.reset(lane.row)
        self._runner.ids[lane.row] = self._vocabulary.begin_id
        self._slab.join(lane.row, lane)
        return None

    def leave(self, lane: Lane) -> None:
        """Take a live lane's row away."""
        row, last = lane.row, len(self.lanes) - 1
        self._slab.leave(lane)
        moved = self.lanes.pop()
        if row != last:
            self._slab.move(last, row)
            self._runner.move(last, row)
            self.lanes[row] = moved
            moved.row = row
        lane.row = -1
        self.num_bulk -= lane.priority is Priority.BULK

    def step(self) -> Outbox:
        """Advance every lane by one character; what there is to deliver."""
        n = len(self.lanes)
        if n == 0:
            return []
        started = time.perf_counter()
        self._runner.step(n)
        stepped = time.perf_counter()
        softmax = Softmax(self._runner.logits[:n])
        drawing = self._advance(softmax, n)
        outbox = self._collect(softmax, drawing, n)
        self._stats.add_step(n, stepped - started, time.perf_counter() - stepped)
        return outbox

    def _advance(self, softmax: Softmax, n: int) -> Indices:
        """Fill each row's position and choose what it reads next; the rows that drew."""
        slab, rows = self._slab, self._rows[:n]
        cursor = slab.cursor[:n]
        # A row past its given ids draws; one that only wants the distribution keeps any symbol there.
        drawing = (cursor >= slab.num_given[:n]).nonzero()[0] if slab.num_sampling else self._rows[:0]
        if len(drawing):
            slab.symbols[drawing, cursor[drawing]] = self._draw(softmax, drawing)
        chosen = slab.symbols[rows, cursor]
        slab.logprobs[rows, cursor] = softmax.logprobs_of(rows, chosen)
        if slab.num_topped:
            self._keep_top(softmax, n)
        self._runner.ids[:n] = chosen
        cursor += 1
        return drawing

    def _draw(self, softmax: Softmax, rows: Indices) -> Indices:
        slab, everyone = self._slab, len(rows) == len(softmax.shifted)
        which = slice(len(rows)) if everyone else rows
        weights = self._weights(softmax, which)
        if slab.num_filtered:
            filtered = slab.filtered[which].nonzero()[0]
            weights[filtered] = truncated(weights[filtered], slab.filters(rows[filtered]))
        greedy = slab.greedy[which] if slab.num_greedy else None
        return draw(weights, slab.uniforms[rows, slab.cursor[which]], greedy)

    def _weights(self, softmax: Softmax, which: Indices | slice) -> Doubles:
        """What each symbol weighs in the draw; the unknown symbol nothing: no character shows it.

        A row takes the same path to the same bits whatever the others ask for.
        """
        shifted, unknown = softmax.shifted[which], self._vocabulary.unknown_id
        if unknown is not None and (shifted[:, unknown] == 0).any():
            shifted = without(unknown, shifted)
            weights = tempered(shifted, self._slab.temperature[which])
        elif self._slab.num_tempered:
            weights = tempered(shifted, self._slab.temperature[which])
        else:
            weights = softmax.weights[which]
        if unknown is not None:
            weights[:, unknown] = 0.0
        return weights

    def _keep_top(self, softmax: Softmax, n: int) -> None:
        rows = np.flatnonzero(self._slab.num_top[:n])
        logprobs = softmax.logprobs(rows)
        ids = top(logprobs, MAX_TOP)
        cursor, k = self._slab.cursor[rows], ids.shape[1]
        self._slab.top_ids[rows, cursor, :k] = ids
        self._slab.top_logprobs[rows, cursor, :k] = np.take_along_axis(logprobs, ids, axis=1)

    def _collect(self, softmax: Softmax, drawing: Indices, n: int) -> Outbox:
        """Look at the rows where something happened; the lanes that are done leave."""
        slab, now = self._slab, time.monotonic()
        events = slab.cursor[:n] >= slab.event_at[:n]
        if slab.num_stopping:
            events[drawing] |= slab.triggers[drawing, self._runner.ids[drawing]]
        events[slab.late(n, now)] = True
        looked = [
            (lane, self._look(lane, softmax, now))
            for lane in [self.lanes[row] for row in events.nonzero()[0]]
        ]
        outbox = [(lane, delivery) for lane, delivery in looked if delivery is not None]
        for lane, delivery in outbox:
            if delivery.last:
                self.leave(lane)
        return outbox

    def _look(self, lane: Lane, softmax: Softmax, now: float) -> Delivery | None:
        """What an event means for a lane; None for a trigger that completed no stop string."""
        slab, row = self._slab, lane.row
        num_stop = self._num_stop(lane)
        if num_stop:
            return slab.take(row, lane, finish=Finish.STOP, num_stop=num_stop)
        full = bool(slab.cursor[row] == slab.end[row])
        if full and lane.all_planned and not lane.wants_distribution:
            return slab.take(row, lane, finish=Finish.LENGTH if lane.sampling else Finish.GIVEN)
        if full and lane.all_planned and slab.end[row] > slab.num_given[row]:
            distribution = softmax.logprobs(slice(row, row + 1))[0]
            return slab.take(row, lane, finish=Finish.GIVEN, distribution=distribution)
        if lane.deadline <= now:
            return lane.failed(DeadlineExceeded("the request did not finish within its time limit"))
        if slab.cursor[row] < slab.event_at[row]:
            return None
        delivery = slab.take(row, lane)
        if full:
            self._refill(lane)
        return delivery

    def _refill(self, lane: Lane) -> None:
        if lane.sampling is not None and lane.sampling.max_stop > 1:
            lane.tail = [*lane.tail, *self._slab.drawn(lane.row)][1 - lane.sampling.max_stop :]
        self._slab.fill(lane.row, lane)

    def _num_stop(self, lane: Lane) -> int:
        """How many of the last drawn ids are an end symbol or a stop string, so that the lane is done."""
        if lane.sampling is None or not (lane.sampling.stop or self._vocabulary.end_id is not None):
            return 0
        drawn = self._slab.drawn(lane.row)
        if not drawn:
            return 0
        if drawn[-1] == self._vocabulary.end_id:
            return 1
        return lane.sampling.matched_stop([*lane.tail, *drawn])

    def fail(self, error: NextcharError) -> Outbox:
        """End every lane with an error."""
        outbox = [(lane, lane.failed(error)) for lane in self.lanes]
        for lane in self.lanes:
            self._slab.leave(lane)
        self.lanes.clear()
        self.num_bulk = 0
        return outbox
