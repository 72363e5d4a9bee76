"""Rows whose draws need more than a temperature: filters, bias, penalties, masks. They draw here."""

import numpy as np

from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.masks import Masks
from nextchar.engine.sampler import (
    Doubles,
    Filters,
    Flags,
    History,
    Indices,
    draw,
    log_shares,
    penalized,
    truncated,
    weigh,
)
from nextchar.model.vocabulary import Vocabulary


class HostSampler:
    """Parameters and history by row; those of rows that are not `on` are left from before.

    A row is touched where its lane joins, where it moves and where it draws.
    """

    def __init__(self, num_rows: int, vocabulary: Vocabulary) -> None:
        num_symbols = vocabulary.num_outputs
        self._unknown_id = vocabulary.unknown_id
        self.on: Flags = np.zeros(num_rows, dtype=np.bool_)
        self.num_on = 0  # live rows, so that nobody looks where there is none
        self.masks = Masks(num_rows, num_symbols, vocabulary.end_id)
        self._numbers: Doubles = np.zeros((6, num_rows))
        self._temperature, self._top_p, self._min_p = self._numbers[:3]  # a temperature of 1 where greedy
        self._presence, self._frequency, self._repetition = self._numbers[3:]
        self._top_k: Indices = np.zeros(num_rows, dtype=np.int64)
        self._greedy: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._tells_drawn: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._bias: Doubles = np.zeros((num_rows, num_symbols))
        self._counts: Doubles = np.zeros((num_rows, num_symbols))  # how often each symbol was drawn
        self._seen: Flags = np.zeros((num_rows, num_symbols), dtype=np.bool_)  # given or drawn

    def join(self, row: int, lane: Lane) -> None:
        """Put a lane's parameters into a row."""
        s = lane.sampling
        self.on[row] = s is not None and s.shaped
        if s is None or not s.shaped:
            return
        self.num_on += 1
        self._greedy[row] = s.temperature == 0
        self._temperature[row] = s.temperature or 1.0
        self._top_k[row], self._top_p[row], self._min_p[row] = s.top_k, s.top_p, s.min_p
        p = s.penalties
        self._presence[row], self._frequency[row], self._repetition[row] = (
            p.presence,
            p.frequency,
            p.repetition,
        )
        self._tells_drawn[row] = s.tells_drawn
        self._bias[row] = 0.0
        for symbol_id, bias in s.bias:
            self._bias[row, symbol_id] = bias
        self._counts[row] = 0.0
        self._seen[row] = False
        self._seen[row, lane.given] = True
        self.masks.join(row, s)

    def leave(self, sampling: Sampling | None) -> None:
        """A lane's row is not live any more."""
        if sampling is not None and sampling.shaped:
            self.num_on -= 1
            self.masks.leave(sampling)

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        self.on[target] = self.on[source]
        if not self.on[source]:
            return
        arrays = (self._greedy, self._top_k, self._tells_drawn, self._bias, self._counts, self._seen)
        self._numbers[:, target] = self._numbers[:, source]
        for array in arrays:
            array[target] = array[source]
        self.masks.move(source, target)

    def draw(self, rows: Indices, logprobs: Doubles, uniforms: Doubles) -> Indices:
        """One symbol for each of some rows, from log-probabilities [k, symbols] by random numbers [k].

        Where a row tells what it drew from, that takes the place of its log-probabilities.
        """
        scores = penalized(logprobs, self._history(rows)) + self._bias[rows]
        self.masks.forbid(scores, rows)
        weights = weigh(scores, self._temperature[rows], self._unknown_id)
        weights = truncated(weights, self._filters(rows))
        greedy = self._greedy[rows]
        drawn = draw(weights, uniforms, greedy)
        self.masks.drew(rows, drawn)
        self._counts[rows, drawn] += 1
        self._seen[rows, drawn] = True
        telling = np.flatnonzero(self._tells_drawn[rows])
        if len(telling):
            logprobs[telling] = log_shares(weights[telling], greedy[telling])
        return drawn

    def _filters(self, rows: Indices) -> Filters:
        return Filters(self._top_k[rows], self._top_p[rows], self._min_p[rows])

    def _history(self, rows: Indices) -> History:
        return History(
            self._counts[rows],
            self._seen[rows],
            self._presence[rows],
            self._frequency[rows],
            self._repetition[rows],
        )
