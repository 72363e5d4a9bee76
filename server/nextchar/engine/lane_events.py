"""What it means for a lane that something happened in its row: it is due, full, stopped, done or late."""

import numpy as np

from nextchar.engine.lane import Delivery, FinishReason, Lane, LaneState, Sampling
from nextchar.engine.lane_arrays import LaneArrays
from nextchar.engine.sampler import Doubles
from nextchar.errors import DeadlineExceeded
from nextchar.model.step_runner import StepRunner


class LaneEvents:
    """Looks at one lane, after a call that something happened in."""

    def __init__(self, slab: LaneArrays, runner: StepRunner) -> None:
        self._slab, self._runner = slab, runner
        self._end_id = runner.graph.vocabulary.end_id

    def look(self, lane: Lane, now: float) -> Delivery | None:
        """What there is to deliver; None for a trigger that completed no stop string."""
        slab, row, sampling = self._slab, lane.row, lane.sampling
        if sampling is not None and (stopped := self._stopped(lane, sampling)) is not None:
            return stopped
        cursor = int(slab.cursor[row])
        full = cursor == slab.end[row]
        if lane.keeps_state:
            self._keep_state(lane, cursor)
        if full and lane.all_planned:
            return self._last(lane)
        if lane.deadline <= now:
            return lane.failed(DeadlineExceeded("the request did not finish within its time limit"))
        if cursor < slab.event_at[row] and slab.deliver_by[row] > now:
            return None
        if lane.wants_distribution and not full:  # only its state was to be looked at
            slab.look_at_end(row, lane)
            return None
        delivery = slab.take(row, lane)
        if full:
            self._refill(lane)
        if sampling is not None:
            slab.deliver_by[row] = now + slab.seconds_per_delivery[row]
        return delivery

    def _stopped(self, lane: Lane, sampling: Sampling) -> Delivery | None:
        """The last delivery of a lane that a stop string, the end symbol or its pattern has ended."""
        slab, row = self._slab, lane.row
        if sampling.stop or self._end_id is not None:
            num_stop = self._find_stop(lane, sampling)
            if num_stop:
                kept = sampling.keeps_stop and slab.symbols[row, slab.cursor[row] - 1] != self._end_id
                return slab.take(row, lane, finish=FinishReason.STOP, num_stop=0 if kept else num_stop)
        if sampling.automaton is not None and slab.shaping.masks.over[row]:
            return slab.take(row, lane, finish=FinishReason.STOP)
        return None

    def _keep_state(self, lane: Lane, cursor: int) -> None:
        """Remember where a lane stands once its last symbol is known, and before that is read."""
        row = lane.row
        known = self._slab.num_given[row] if lane.wants_distribution else self._slab.end[row]
        if cursor == known and cursor > 0 and lane.all_planned:
            lane.state = LaneState(int(self._runner.ids[row]), self._runner.read_state(row))

    def _last(self, lane: Lane) -> Delivery | None:
        """The last delivery of a lane whose steps are all done, or what gets it to its last step."""
        slab, row = self._slab, lane.row
        if not lane.wants_distribution:
            return slab.take(row, lane, finish=FinishReason.LENGTH if lane.sampling else FinishReason.GIVEN)
        if slab.end[row] > slab.num_given[row]:
            distribution: Doubles = self._runner.distribution[row].astype(np.float64)
            return slab.take(row, lane, finish=FinishReason.GIVEN, distribution=distribution)
        delivery = slab.take(row, lane)
        self._refill(lane)  # the chunk had no room for the step after the last given symbol
        return delivery

    def _refill(self, lane: Lane) -> None:
        if lane.sampling is not None and lane.sampling.max_stop > 1:
            lane.tail = [*lane.tail, *self._slab.drawn(lane.row)][1 - lane.sampling.max_stop :]
        self._slab.fill(lane.row, lane)

    def _find_stop(self, lane: Lane, sampling: Sampling) -> int:
        """The first end symbol or stop string among the drawn ids: how many it is, all after it forgotten."""
        slab, row = self._slab, lane.row
        drawn, first = slab.drawn(row), int(slab.checked[row] - slab.num_given[row])
        before = slab.num_drawn_before(row, lane)
        slab.checked[row] = max(slab.cursor[row], slab.num_given[row])
        for count in range(first + 1, len(drawn) + 1):
            is_end = drawn[count - 1] == self._end_id
            num_stop = 1 if is_end else sampling.matched_stop([*lane.tail, *drawn[:count]], before + count)
            if num_stop:
                slab.cursor[row] = slab.num_given[row] + count
                return num_stop
        return 0
