"""Handles the events of lanes: a delivery is due, a chunk full, a lane stopped, done or past its deadline."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nextchar.engine.lane import Ahead, Lane, LaneState, Sampling
from nextchar.engine.lane_arrays import LaneArrays
from nextchar.engine.sampler import Doubles
from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.step_runner import StepRunner


class LaneEvents:
    """Handles the events of one lane after a call of the graph."""

    def __init__(self, arrays: LaneArrays, runner: StepRunner) -> None:
        self._arrays, self._runner = arrays, runner
        self._end_id = runner.graph.vocabulary.end_id

    def handle(self, lane: Lane, now: float) -> Delivery | None:
        """Returns what there is to deliver; None for a trigger that completed no stop string."""
        arrays, row, sampling = self._arrays, lane.row, lane.sampling
        if sampling is not None and (stopped := self._stopped(lane, sampling)) is not None:
            return stopped
        cursor = int(arrays.cursor[row])
        full = cursor == arrays.end[row]
        if lane.keeps_state:
            self._keep_state(lane, cursor)
        if full and lane.all_planned:
            return self._last(lane)
        if lane.deadline <= now:
            return lane.timed_out()
        if cursor < arrays.event_at[row] and arrays.deliver_by[row] > now:
            return None
        if lane.wants_distribution and not full:  # only its state was to be looked at
            arrays.look_at_end(row, lane)
            return None
        delivery = arrays.take(row, lane)
        if full:
            self._refill(lane)
        if sampling is not None:
            arrays.deliver_by[row] = now + arrays.seconds_per_delivery[row]
        return delivery

    def trace(self, lanes: Sequence[Lane]) -> None:
        """Adds what lanes hold after a step to the traces of those that have one."""
        for lane in lanes:
            if lane.trace is None:
                continue
            if lane.trace.wants_states:
                lane.trace.states.append(self._runner.read_state(lane.row))
            if lane.trace.wants_distributions:
                own = None if lane.memory is None else self._arrays.adaptive.distribution(lane.row)
                lane.trace.add_distribution(self._runner.distribution[lane.row], own)

    def _stopped(self, lane: Lane, sampling: Sampling) -> Delivery | None:
        """Returns the last delivery of a lane that a stop string, the end symbol or its pattern has ended."""
        arrays, row = self._arrays, lane.row
        if sampling.stop or self._end_id is not None:
            num_stop = self._find_stop(lane, sampling)
            if num_stop:
                kept = sampling.includes_stop and arrays.symbols[row, arrays.cursor[row] - 1] != self._end_id
                return arrays.take(row, lane, finish=FinishReason.STOP, num_stop=0 if kept else num_stop)
        if sampling.automaton is not None and arrays.host_sampler.masks.over[row]:
            return arrays.take(row, lane, finish=FinishReason.STOP)
        return None

    def _keep_state(self, lane: Lane, cursor: int) -> None:
        """Sets a lane's state once its last symbol is known, and before that symbol is read."""
        row = lane.row
        known = self._arrays.num_given[row] if lane.wants_distribution else self._arrays.end[row]
        if cursor == known and cursor > 0 and lane.all_planned:
            lane.state = LaneState(int(self._runner.ids[row]), self._runner.read_state(row))
            lane.kept = self._arrays.adaptive.memory(row)

    def _last(self, lane: Lane) -> Delivery | None:
        """Returns the last delivery of a lane whose steps are all done, or refills it for its last step."""
        arrays, row = self._arrays, lane.row
        if not lane.wants_distribution:
            return arrays.take(row, lane, finish=FinishReason.LENGTH if lane.sampling else FinishReason.GIVEN)
        if arrays.end[row] > arrays.num_given[row]:
            distribution: Doubles = self._runner.distribution[row].astype(np.float64)
            if lane.state is not None and lane.memory is None:
                lane.state = replace(lane.state, ahead=Ahead(self._runner.read_state(row), distribution))
            return arrays.take(row, lane, finish=FinishReason.GIVEN, distribution=distribution)
        delivery = arrays.take(row, lane)
        self._refill(lane)  # the chunk had no room for the step after the last given symbol
        return delivery

    def _refill(self, lane: Lane) -> None:
        if lane.sampling is not None and lane.sampling.max_stop > 1:
            lane.tail = [*lane.tail, *self._arrays.drawn(lane.row)][1 - lane.sampling.max_stop :]
        self._arrays.fill(lane.row, lane)

    def _find_stop(self, lane: Lane, sampling: Sampling) -> int:
        """Finds the first end symbol or stop string among the drawn ids and drops all ids after it.

        Returns its length; 0 if there is none.
        """
        arrays, row = self._arrays, lane.row
        drawn, first = arrays.drawn(row), int(arrays.checked[row] - arrays.num_given[row])
        before = arrays.num_drawn_before(row, lane)
        arrays.checked[row] = max(arrays.cursor[row], arrays.num_given[row])
        for count in range(first + 1, len(drawn) + 1):
            is_end = drawn[count - 1] == self._end_id
            num_stop = 1 if is_end else sampling.matched_stop([*lane.tail, *drawn[:count]], before + count)
            if num_stop:
                stop = arrays.num_given[row] + count
                arrays.end[row] -= arrays.cursor[row] - stop  # steps that were made for nothing: not left
                arrays.cursor[row] = stop
                return num_stop
        return 0
