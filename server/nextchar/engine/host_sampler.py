"""Draws symbols for the rows that need more than a temperature: filters, bias, penalties, masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.masks import Masks
from nextchar.engine.sampler import (
    Doubles,
    Filters,
    Flags,
    History,
    Indices,
    draw,
    drawn_logprobs,
    penalized,
    truncated,
    weigh,
)
from nextchar.model.vocabulary import Vocabulary


class HostSampler:
    """Holds the sampling parameters and the history of each row, and draws for rows that are `enabled`.

    A row is touched where its lane joins, moves or draws; the arrays of other rows hold old values.
    """

    def __init__(self, num_rows: int, vocabulary: Vocabulary) -> None:
        num_symbols = vocabulary.num_outputs
        self._unknown_id = vocabulary.unknown_id
        self.enabled: Flags = np.zeros(num_rows, dtype=np.bool_)
        # How many active rows need a part of a draw, so that it is skipped where none does.
        self.num_enabled = self.num_reporting = 0
        self._num_filtered = self._num_penalized = self._num_biased = 0
        self.masks = Masks(num_rows, num_symbols, vocabulary.end_id)
        self._numbers: Doubles = np.zeros((7, num_rows))
        self._temperature, self._top_p, self._min_p, self._typical_p = self._numbers[:4]
        self._presence, self._frequency, self._repetition = self._numbers[4:]
        self._top_k: Indices = np.zeros(num_rows, dtype=np.int64)
        self._greedy: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._reports_drawn: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._is_filtered: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._is_penalized: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._is_biased: Flags = np.zeros(num_rows, dtype=np.bool_)
        self._bias: Doubles = np.zeros((num_rows, num_symbols))
        self._counts: Doubles = np.zeros((num_rows, num_symbols))  # how often each symbol was drawn
        self._seen: Flags = np.zeros((num_rows, num_symbols), dtype=np.bool_)  # given or drawn

    def join(self, row: int, lane: Lane) -> None:
        """Writes a lane's parameters into a row."""
        s = lane.sampling
        self.enabled[row] = lane.draws_on_host
        if s is None or not lane.draws_on_host:
            return
        self._count(s, 1)
        self._greedy[row] = s.temperature == 0
        self._temperature[row] = s.temperature or 1.0
        # Where the likeliest is always drawn, it must stay.
        self._typical_p[row] = s.typical_p if s.temperature > 0 else 1.0
        self._top_k[row], self._top_p[row], self._min_p[row] = s.top_k, s.top_p, s.min_p
        p = s.penalties
        self._presence[row], self._frequency[row], self._repetition[row] = (
            p.presence,
            p.frequency,
            p.repetition,
        )
        self._is_filtered[row], self._is_penalized[row] = s.filters, bool(p)
        self._reports_drawn[row] = s.reports_drawn_logprobs
        self._bias[row] = 0.0
        self._is_biased[row] = bool(s.bias)
        for symbol_id, bias in s.bias:
            self._bias[row, symbol_id] = bias
        self._counts[row] = 0.0
        self._seen[row] = False
        self._seen[row, lane.given] = True
        self.masks.join(row, s)

    def leave(self, lane: Lane) -> None:
        """Notes that a lane's row is no longer active."""
        if lane.sampling is not None and lane.draws_on_host:
            self._count(lane.sampling, -1)
            self.masks.leave(lane.sampling)

    def _count(self, s: Sampling, by: int) -> None:
        self.num_enabled += by
        self.num_reporting += by * s.reports_drawn_logprobs
        self._num_filtered += by * s.filters
        self._num_penalized += by * bool(s.penalties)
        self._num_biased += by * bool(s.bias)

    def move(self, source: int, target: int) -> None:
        """Copies one row over another."""
        self.enabled[target] = self.enabled[source]
        if not self.enabled[source]:
            return
        arrays: tuple[NDArray[Any], ...] = (self._greedy, self._top_k, self._reports_drawn, self._bias)
        arrays += (self._counts, self._seen, self._is_filtered, self._is_penalized, self._is_biased)
        self._numbers[:, target] = self._numbers[:, source]
        for array in arrays:
            array[target] = array[source]
        self.masks.move(source, target)

    def draw(self, rows: Indices, logprobs: Doubles, uniforms: Doubles) -> Indices:
        """Draws one symbol for each of k rows, from log-probabilities [k, symbols] by random numbers [k].

        Where a row reports drawn log-probabilities, they replace the model's in `logprobs`.
        """
        scores = logprobs.copy()
        self._change(rows, scores)
        self.masks.forbid(scores, rows)
        if self._unknown_id is not None:
            scores[:, self._unknown_id] = -np.inf
        weights = weigh(scores, self._temperature[rows], None)
        if self._num_filtered:
            filtered = np.flatnonzero(self._is_filtered[rows])
            weights[filtered] = truncated(weights[filtered], self._filters(rows[filtered]))
        greedy = self._greedy[rows]
        drawn = draw(weights, uniforms, greedy)
        self.masks.advance(rows, drawn)
        if self._num_penalized:
            self._counts[rows, drawn] += 1
            self._seen[rows, drawn] = True
        if self.num_reporting:
            reporting = np.flatnonzero(self._reports_drawn[rows])
            logprobs[reporting] = drawn_logprobs(weights[reporting], greedy[reporting])
        return drawn

    def _change(self, rows: Indices, scores: Doubles) -> None:
        """Applies penalties and bias to scores [k, symbols]; those of a row without them are not touched."""
        if self._num_penalized:
            some = np.flatnonzero(self._is_penalized[rows])
            scores[some] = penalized(scores[some], self._history(rows[some]))
        if self._num_biased:
            some = np.flatnonzero(self._is_biased[rows])
            scores[some] += self._bias[rows[some]]

    def _filters(self, rows: Indices) -> Filters:
        return Filters(self._top_k[rows], self._top_p[rows], self._min_p[rows], self._typical_p[rows])

    def _history(self, rows: Indices) -> History:
        return History(
            self._counts[rows],
            self._seen[rows],
            self._presence[rows],
            self._frequency[rows],
            self._repetition[rows],
        )
