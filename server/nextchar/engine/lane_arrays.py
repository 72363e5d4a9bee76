"""Holds the per-lane arrays of an engine: all that a step needs to know about every row, with no objects.

A row works on a *chunk* of `CHUNK` positions: given ids first, then room for drawn ones. `cursor` is the
position being filled, `end` where the chunk is full, `run_until` how far the graph can go alone. That may be
`overrun` positions beyond the end, where a lane's last character is in the chunk: what is drawn there is
dropped. When the cursor reaches `event_at` (or a trigger symbol is drawn) the engine handles the lane's
event; until then nothing but these arrays is touched. Memory is `max_lanes` times a constant.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.rows import AdaptiveRows
from nextchar.engine.host_sampler import HostSampler
from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.sampler import Doubles, Indices, Uniforms, top
from nextchar.engine.work import UNLIMITED, Delivery, FinishReason
from nextchar.model.graph import Floats
from nextchar.model.vocabulary import Vocabulary

CHUNK = 512
MAX_TOP = 20
GREEDY_UNIFORM = 2.0**-10  # below the share of the first of up to 1023 equals
GREEDY_INVERSE_TEMPERATURE = 1e30  # leaves all weight to the largest logit
_FEW = 8  # up to so many completions, the first character of each comes in a call of its own
_DRAWN = -1  # at a position whose symbol the graph draws
_NO_ROWS: Indices = np.empty(0, dtype=np.int64)
_NONE_DRAWN = Sampling(max_chars=0, seed=0)  # of a lane that draws nothing
_INTEGERS = (
    *("cursor", "num_given", "end", "run_until", "event_at", "delivered", "checked"),
    *("num_top", "chars_per_delivery", "overrun"),
)
_NUMBERS = ("deadline", "deliver_by", "seconds_per_delivery")


class LaneArrays:
    """Holds arrays [max_lanes, …]; rows 0 … n-1 are active.

    `inverse_temperature` [max_lanes] is the runner's own array: the graph reads it.
    """

    cursor: Indices
    num_given: Indices
    end: Indices
    run_until: Indices
    event_at: Indices
    delivered: Indices
    checked: Indices  # positions before it hold no stop string
    num_top: Indices
    chars_per_delivery: Indices  # 0: full chunks
    overrun: Indices  # positions beyond its end that the graph may run on to
    deadline: Doubles
    deliver_by: Doubles
    seconds_per_delivery: Doubles

    def __init__(
        self,
        vocabulary: Vocabulary,
        inverse_temperature: np.ndarray[tuple[int], np.dtype[np.float32]],
        max_steps: int,
        max_table_bytes: int,
    ) -> None:
        rows, symbols = len(inverse_temperature), vocabulary.num_outputs
        width = CHUNK + max_steps
        self._num_outputs = symbols
        self._end_id = vocabulary.end_id
        self._random = Uniforms()
        self.inverse_temperature = inverse_temperature
        self._max_steps = max_steps
        self.symbols = np.zeros((rows, width), dtype=np.int64)
        self.logprobs = np.zeros((rows, width))
        self.uniforms = np.full((rows, width), GREEDY_UNIFORM)
        self.top_ids = np.zeros((rows, CHUNK, MAX_TOP), dtype=np.int32)
        self.top_logprobs = np.zeros((rows, CHUNK, MAX_TOP), dtype=np.float32)
        self.triggers = np.zeros((rows, symbols), dtype=np.bool_)
        self.host_sampler = HostSampler(rows, vocabulary)
        self.adaptive = AdaptiveRows(rows, width, symbols, max_table_bytes)
        self.is_plain = np.zeros(rows, dtype=np.bool_)  # draws, and delivers its symbols and nothing more
        self._integers = np.zeros((len(_INTEGERS), rows), dtype=np.int64)
        self._numbers = np.zeros((len(_NUMBERS), rows))
        for k, name in enumerate(_INTEGERS):
            setattr(self, name, self._integers[k])
        for k, name in enumerate(_NUMBERS):
            setattr(self, name, self._numbers[k])
        self.deadline[:] = UNLIMITED
        # How many active rows need a part of the step, so that it is skipped when none does.
        self.num_sampling = self.num_stopping = self.num_topped = self.num_timed = self.num_traced = 0
        self.earliest_deadline = UNLIMITED

    def join(self, row: int, lane: Lane) -> None:
        """Writes a lane's parameters into a row and fills its first chunk."""
        self.num_top[row] = lane.num_top
        self.deadline[row] = lane.deadline
        self.earliest_deadline = min(self.earliest_deadline, lane.deadline)
        s = lane.sampling or _NONE_DRAWN
        self.chars_per_delivery[row] = s.chars_per_delivery
        self.seconds_per_delivery[row] = s.seconds_per_delivery
        looked_at = lane.num_top or lane.keeps_state or lane.memory is not None
        self.is_plain[row] = lane.sampling is not None and not looked_at
        # The inverse of a tiny temperature is no float32: infinity times 0 is nothing to draw from.
        inverse = 1.0 / s.temperature if s.temperature else GREEDY_INVERSE_TEMPERATURE
        self.inverse_temperature[row] = min(inverse, GREEDY_INVERSE_TEMPERATURE)
        self.host_sampler.join(row, lane)
        self.adaptive.join(row, lane)
        self.triggers[row] = False
        if lane.sampling is not None:
            self.triggers[row, [stop[-1] for stop in s.stop]] = True
            if self._end_id is not None:
                self.triggers[row, self._end_id] = True
        self._count(lane, 1)
        self.fill(row, lane)

    def leave(self, lane: Lane) -> None:
        """Notes that a lane's row is no longer active."""
        self._count(lane, -1)
        self.adaptive.leave(lane)
        self.host_sampler.leave(lane)

    def _count(self, lane: Lane, by: int) -> None:
        s = lane.sampling
        self.num_topped += by * (lane.num_top > 0)
        self.num_traced += by * (lane.trace is not None)
        if s is not None:
            self.num_sampling += by
            self.num_timed += by * (s.seconds_per_delivery < UNLIMITED)
            self.num_stopping += by * (bool(s.stop) or self._end_id is not None)

    def num_left(self, row: int) -> int:
        """Returns the steps of the row's chunk that are to come."""
        return int(self.end[row] - self.cursor[row])

    def expired(self, num_rows: int, now: float) -> Indices:
        """Returns the rows, of the `num_rows` active ones, whose deadline has passed."""
        if now < self.earliest_deadline:
            return _NO_ROWS
        self.earliest_deadline = self.deadline[:num_rows].min(initial=UNLIMITED)
        return np.flatnonzero(self.deadline[:num_rows] <= now)

    def fill(self, row: int, lane: Lane) -> None:
        """Starts a row's next chunk: given ids that are left, random numbers for the rest."""
        given = lane.given[lane.num_read : lane.num_read + CHUNK]
        num_given = len(given)
        lane.num_read += num_given
        self.symbols[row, :num_given] = given
        self.num_given[row] = num_given
        self.cursor[row] = self.delivered[row] = 0
        self.checked[row] = num_given
        first_draw = lane.num_drawn == 0
        num_drawn = self._plan_draws(row, lane, num_given)
        self.end[row] = num_given + num_drawn
        is_last = lane.sampling is not None and lane.all_planned and not lane.keeps_state
        self.overrun[row] = self._max_steps if is_last else 0
        self.run_until[row] = self._run_until(row, lane)
        self.deliver_by[row] = UNLIMITED
        size = int(self.chars_per_delivery[row])
        if size and first_draw and num_drawn:  # the first character at once, then the others
            size = num_given + 1
            if self.num_sampling <= _FEW:  # among many it comes with its call, which all of them share
                self.run_until[row] = min(size, self.run_until[row])
        self.event_at[row] = min(size or CHUNK, int(self.end[row]))
        if lane.keeps_state and lane.wants_distribution and num_given:
            # The state is read before the step for the distribution reads the last symbol.
            self.run_until[row] = min(num_given, self.run_until[row])
            self.event_at[row] = num_given

    def _run_until(self, row: int, lane: Lane) -> int:
        """Returns how far the graph can go in this chunk before a distribution must be looked at."""
        if lane.num_top or lane.trace is not None:
            return 0
        if lane.draws_on_host and not lane.needs_host:  # because it is adaptive: nothing is to be looked at
            return int(self.end[row])
        drawn_alone = not self.host_sampler.enabled[row]
        return int(self.end[row] + self.overrun[row] if drawn_alone else self.num_given[row])

    def given_alone(self, rows: Indices, num_steps: int) -> bool:
        """Returns whether rows have only given ids in their next steps."""
        return bool((self.cursor[rows] + num_steps <= self.num_given[rows]).all())

    def _plan_draws(self, row: int, lane: Lane, num_given: int) -> int:
        room = CHUNK - num_given
        if lane.sampling is None:
            self.symbols[row, num_given:] = 0  # read for the distribution only
            lane.num_drawn = min(room, int(lane.wants_distribution))
            return lane.num_drawn
        count = min(room, lane.sampling.max_chars - lane.num_drawn)
        self.symbols[row, num_given : num_given + count] = 0 if self.host_sampler.enabled[row] else _DRAWN
        self.uniforms[row, num_given : num_given + count] = (
            GREEDY_UNIFORM
            if lane.sampling.temperature == 0
            else self._random.take(lane.sampling.seed, lane.sampling.first_draw + lane.num_drawn, count)
        )
        lane.num_drawn += count
        return count

    def num_drawn_before(self, row: int, lane: Lane) -> int:
        """Returns how many ids were drawn in the chunks before this one."""
        return lane.num_drawn - int(self.end[row] - self.num_given[row])

    def drawn(self, row: int) -> list[int]:
        """Returns the ids drawn in this chunk so far."""
        ids: list[int] = self.symbols[row, self.num_given[row] : self.cursor[row]].tolist()
        return ids

    def take(
        self,
        row: int,
        lane: Lane,
        *,
        finish: FinishReason | None = None,
        num_stop: int = 0,
        distribution: Doubles | None = None,
    ) -> Delivery:
        """Takes what the row has produced since its last delivery, and sets its next event."""
        start, stop = int(self.delivered[row]), int(self.cursor[row]) - (distribution is not None)
        self.delivered[row] = stop
        size = int(self.chars_per_delivery[row])
        self.event_at[row] = min(stop + (size or CHUNK), int(self.end[row]))
        self.run_until[row] = self._run_until(row, lane)
        k = min(lane.num_top, self._num_outputs)
        ids, logprobs = self.symbols[row, start:stop].copy(), self.logprobs[row, start:stop].copy()
        delivery = Delivery(ids, logprobs, None, None, finish, num_stop, distribution)
        if k:
            delivery.top_ids = self.top_ids[row, start:stop, :k].copy()
            delivery.top_logprobs = self.top_logprobs[row, start:stop, :k].copy()
        if lane.memory is not None:
            delivery.model_logprobs = self.adaptive.logprobs[row, start:stop].copy()
            if distribution is not None:
                delivery.model_distribution = self.adaptive.distribution(row)
        return delivery

    def look_at_end(self, row: int, lane: Lane) -> None:
        """Let a row go on to the end of its chunk, with nothing delivered."""
        self.event_at[row] = self.end[row]
        self.run_until[row] = self._run_until(row, lane)

    def take_plain(self, rows: Indices, now: float) -> list[Delivery]:
        """Does what `take` does for plain rows in the middle of their chunks, all of them at once."""
        starts, stops = self.delivered[rows], self.cursor[rows]
        sizes = self.chars_per_delivery[rows]
        self.delivered[rows] = stops
        self.checked[rows] = np.maximum(stops, self.num_given[rows])
        self.event_at[rows] = np.minimum(stops + np.where(sizes > 0, sizes, CHUNK), self.end[rows])
        self.run_until[rows] = np.where(
            self.host_sampler.enabled[rows], self.num_given[rows], self.end[rows] + self.overrun[rows]
        )
        self.deliver_by[rows] = now + self.seconds_per_delivery[rows]
        lengths = stops - starts
        # One copy for all rows, of which each delivery has its part.
        positions = (rows * self.symbols.shape[1] + starts)[:, None] + np.arange(lengths.max())
        ids = np.take(self.symbols, positions, mode="clip")
        logprobs = np.take(self.logprobs, positions, mode="clip")
        return [
            Delivery(row_ids[:length], row_logprobs[:length])
            for row_ids, row_logprobs, length in zip(ids, logprobs, lengths.tolist(), strict=True)
        ]

    def store_top(self, num_rows: int, distribution: Floats) -> None:
        """Keeps the likeliest symbols at the cursor of those of the first rows that deliver them."""
        rows = np.flatnonzero(self.num_top[:num_rows])
        logprobs = distribution[rows].astype(np.float64)
        ids = top(logprobs, MAX_TOP)
        cursor, k = self.cursor[rows], ids.shape[1]
        self.top_ids[rows, cursor, :k] = ids
        self.top_logprobs[rows, cursor, :k] = np.take_along_axis(logprobs, ids, axis=1)

    def move(self, source: int, target: int) -> None:
        """Copies one row over another, so that active rows stay dense."""
        self._integers[:, target] = self._integers[:, source]
        self._numbers[:, target] = self._numbers[:, source]
        arrays: list[NDArray[Any]] = [self.symbols, self.logprobs, self.uniforms, self.triggers]
        arrays.append(self.is_plain)
        self.host_sampler.move(source, target)
        self.adaptive.move(source, target)
        if self.num_top[source]:
            arrays += [self.top_ids, self.top_logprobs]
        for array in (*arrays, self.inverse_temperature):
            array[target] = array[source]
