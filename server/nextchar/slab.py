"""The per-lane arrays of an engine: what a step needs to know about every row, with no objects.

A row works on a *chunk* of `CHUNK` positions: given ids first, then room for drawn ones. `cursor` is
the position being filled, `end` where the chunk is full. When the cursor reaches `event_at` (or a
trigger symbol is drawn) the engine looks at the lane; until then nothing but these arrays is touched.
Memory is `max_lanes` times a constant.
"""

import numpy as np

from nextchar.lane import FOREVER, Delivery, Finish, Lane, Sampling
from nextchar.sampler import Doubles, Filters, Indices, uniforms
from nextchar.vocabulary import Vocabulary

CHUNK = 128
MAX_TOP = 20
_NO_ROWS: Indices = np.empty(0, dtype=np.int64)
_PLAIN = Sampling(max_chars=0, seed=0)  # of a lane that draws nothing


class LaneSlab:
    """Arrays [max_lanes, …]; rows 0 … n-1 are live."""

    def __init__(self, vocabulary: Vocabulary, max_lanes: int) -> None:
        self._vocabulary = vocabulary
        self.symbols = np.zeros((max_lanes, CHUNK), dtype=np.int64)
        self.logprobs = np.zeros((max_lanes, CHUNK))
        self.uniforms = np.zeros((max_lanes, CHUNK))
        self.top_ids = np.zeros((max_lanes, CHUNK, MAX_TOP), dtype=np.int64)
        self.top_logprobs = np.zeros((max_lanes, CHUNK, MAX_TOP))
        self.cursor = np.zeros(max_lanes, dtype=np.int64)
        self.num_given = np.zeros(max_lanes, dtype=np.int64)
        self.end = np.zeros(max_lanes, dtype=np.int64)
        self.event_at = np.zeros(max_lanes, dtype=np.int64)
        self.delivered = np.zeros(max_lanes, dtype=np.int64)
        self.num_top = np.zeros(max_lanes, dtype=np.int64)
        self.deadline = np.full(max_lanes, FOREVER)
        self.temperature = np.ones(max_lanes)  # 1 where greedy: its largest is the same at every other
        self.greedy = np.zeros(max_lanes, dtype=np.bool_)
        self.filtered = np.zeros(max_lanes, dtype=np.bool_)
        self.top_k = np.zeros(max_lanes, dtype=np.int64)
        self.top_p = np.ones(max_lanes)
        self.min_p = np.zeros(max_lanes)
        self.triggers = np.zeros((max_lanes, vocabulary.num_outputs), dtype=np.bool_)
        self._arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        # How many live rows need a part of the step, so that it is skipped when none does.
        self.num_sampling = self.num_tempered = self.num_filtered = self.num_greedy = 0
        self.num_stopping = self.num_topped = 0
        self.earliest_deadline = FOREVER

    def join(self, row: int, lane: Lane) -> None:
        """Put a lane's parameters into a row and fill its first chunk."""
        self.num_top[row] = lane.num_top
        self.deadline[row] = lane.deadline
        self.earliest_deadline = min(self.earliest_deadline, lane.deadline)
        self.triggers[row] = False
        s = lane.sampling or _PLAIN
        self.temperature[row], self.greedy[row] = s.temperature or 1.0, s.temperature == 0
        self.top_k[row], self.top_p[row], self.min_p[row] = s.top_k, s.top_p, s.min_p
        self.filtered[row] = s.filters
        if lane.sampling is not None:
            self.triggers[row, [stop[-1] for stop in s.stop]] = True
            if self._vocabulary.end_id is not None:
                self.triggers[row, self._vocabulary.end_id] = True
        self._count(lane, 1)
        self.fill(row, lane)

    def leave(self, lane: Lane) -> None:
        """A lane's row is not live any more."""
        self._count(lane, -1)

    def _count(self, lane: Lane, by: int) -> None:
        s = lane.sampling
        self.num_topped += by * (lane.num_top > 0)
        if s is not None:
            self.num_sampling += by
            self.num_greedy += by * (s.temperature == 0)
            self.num_tempered += by * (s.temperature not in (0.0, 1.0))
            self.num_filtered += by * s.filters
            self.num_stopping += by * (bool(s.stop) or self._vocabulary.end_id is not None)

    def late(self, num_live: int, now: float) -> Indices:
        """The live rows whose deadline has passed."""
        if now < self.earliest_deadline:
            return _NO_ROWS
        self.earliest_deadline = self.deadline[:num_live].min(initial=FOREVER)
        return np.flatnonzero(self.deadline[:num_live] <= now)

    def fill(self, row: int, lane: Lane) -> None:
        """Start a row's next chunk: given ids that are left, random numbers for the rest."""
        given = lane.given[lane.num_read : lane.num_read + CHUNK]
        num_given = len(given)
        lane.num_read += num_given
        self.symbols[row, :num_given] = given
        self.num_given[row] = num_given
        self.cursor[row] = self.delivered[row] = 0
        first_draw = lane.num_drawn == 0
        num_drawn = self._plan_draws(row, lane, num_given)
        self.end[row] = num_given + num_drawn
        prompt = first_draw and num_drawn > 0 and lane.sampling is not None
        self._set_event(row, lane, num_given + 1 if prompt else None)

    def _plan_draws(self, row: int, lane: Lane, num_given: int) -> int:
        room = CHUNK - num_given
        if lane.sampling is None:
            return min(room, int(lane.wants_distribution))
        count = min(room, lane.sampling.max_chars - lane.num_drawn)
        if lane.sampling.temperature > 0:
            drawn = uniforms(lane.sampling.seed, lane.num_drawn, count)
            self.uniforms[row, num_given : num_given + count] = drawn
        lane.num_drawn += count
        return count

    def _set_event(self, row: int, lane: Lane, first: int | None) -> None:
        """Look at the lane after its first draw, then once a delivery's size, at the chunk's end at most."""
        size = lane.sampling.chars_per_delivery if lane.sampling else 0
        if not size:
            self.event_at[row] = self.end[row]
        elif first is not None:
            self.event_at[row] = first
        else:
            self.event_at[row] = min(self.cursor[row] + size, self.end[row])

    def drawn(self, row: int) -> list[int]:
        """The ids drawn in this chunk so far."""
        ids: list[int] = self.symbols[row, self.num_given[row] : self.cursor[row]].tolist()
        return ids

    def take(
        self,
        row: int,
        lane: Lane,
        *,
        finish: Finish | None = None,
        num_stop: int = 0,
        distribution: Doubles | None = None,
    ) -> Delivery:
        """What the row has produced since the last time, and the next time to look."""
        start, stop = int(self.delivered[row]), int(self.cursor[row]) - (distribution is not None)
        k = min(lane.num_top, self._vocabulary.num_outputs)
        delivery = Delivery(
            self.symbols[row, start:stop].copy(),
            self.logprobs[row, start:stop].copy(),
            self.top_ids[row, start:stop, :k].copy() if k else None,
            self.top_logprobs[row, start:stop, :k].copy() if k else None,
            finish,
            num_stop,
            distribution,
        )
        self.delivered[row] = stop
        self._set_event(row, lane, None)
        return delivery

    def move(self, source: int, target: int) -> None:
        """Copy one row over another, so that live rows stay dense."""
        for array in self._arrays:
            array[target] = array[source]

    def filters(self, rows: Indices) -> Filters:
        """Which symbols some rows may draw."""
        return Filters(self.top_k[rows], self.top_p[rows], self.min_p[rows])
