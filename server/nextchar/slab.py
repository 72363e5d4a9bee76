"""The per-lane arrays of an engine: what a step needs to know about every row, with no objects.

A row works on a *chunk* of `CHUNK` positions: given ids first, then room for drawn ones. `cursor` is
the position being filled. When it reaches `event_at` (or a trigger symbol is drawn) the engine looks
at the lane; until then nothing but these arrays is touched. Memory is `max_lanes` times a constant.
"""

import numpy as np

from nextchar.lane import FOREVER, Lane
from nextchar.sampler import Filters, uniforms
from nextchar.vocabulary import Vocabulary

CHUNK = 128
MAX_TOP = 20


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
        self.event_at = np.zeros(max_lanes, dtype=np.int64)
        self.delivered = np.zeros(max_lanes, dtype=np.int64)
        self.num_top = np.zeros(max_lanes, dtype=np.int64)
        self.scored = np.zeros(max_lanes, dtype=np.bool_)
        self.deadline = np.full(max_lanes, FOREVER)
        self.temperature = np.ones(max_lanes)
        self.top_k = np.zeros(max_lanes, dtype=np.int64)
        self.top_p = np.ones(max_lanes)
        self.min_p = np.zeros(max_lanes)
        self.triggers = np.zeros((max_lanes, vocabulary.num_outputs), dtype=np.bool_)
        self._arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]

    def join(self, row: int, lane: Lane) -> None:
        """Put a lane's parameters into a row and fill its first chunk."""
        self.num_top[row] = lane.num_top
        self.scored[row] = lane.scored
        self.deadline[row] = lane.deadline
        self.triggers[row] = False
        if lane.sampling is not None:
            s = lane.sampling
            self.temperature[row], self.top_k[row] = s.temperature, s.top_k
            self.top_p[row], self.min_p[row] = s.top_p, s.min_p
            self.triggers[row, [stop[-1] for stop in s.stop]] = True
            if self._vocabulary.end_id is not None:
                self.triggers[row, self._vocabulary.end_id] = True
        else:
            self.temperature[row], self.top_k[row], self.top_p[row], self.min_p[row] = 0.0, 0, 1.0, 0.0
        self.fill(row, lane)

    def fill(self, row: int, lane: Lane) -> None:
        """Start a row's next chunk: given ids that are left, random numbers for the rest."""
        given = lane.given[lane.num_read : lane.num_read + CHUNK]
        num_given = len(given)
        lane.num_read += num_given
        self.symbols[row, :num_given] = given
        self.num_given[row] = num_given
        self.cursor[row] = self.delivered[row] = 0
        self.event_at[row] = self._first_event(row, lane, num_given)

    def _first_event(self, row: int, lane: Lane, num_given: int) -> int:
        if num_given == CHUNK:
            return CHUNK
        if lane.sampling is None:
            return num_given + lane.wants_distribution
        count = min(CHUNK - num_given, lane.sampling.max_chars - lane.num_drawn)
        if lane.sampling.temperature > 0:
            drawn = uniforms(lane.sampling.seed, lane.num_drawn, count)
            self.uniforms[row, num_given : num_given + count] = drawn
        first = lane.num_drawn == 0 and lane.sampling.chars_per_delivery > 0
        lane.num_drawn += count
        return num_given + 1 if first and count else self.next_event(lane, num_given, num_given + count)

    @staticmethod
    def next_event(lane: Lane, cursor: int, end: int) -> int:
        """Where to look at a sampling lane again: after its delivery size, at the chunk's end at most."""
        assert lane.sampling is not None
        size = lane.sampling.chars_per_delivery
        return min(cursor + size, end) if size else end

    def move(self, source: int, target: int) -> None:
        """Copy one row over another, so that live rows stay dense."""
        for array in self._arrays:
            array[target] = array[source]

    def filters(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Filters:
        """The sampling parameters of some rows."""
        return Filters(self.temperature[rows], self.top_k[rows], self.top_p[rows], self.min_p[rows])
