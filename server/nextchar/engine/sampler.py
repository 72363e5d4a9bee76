"""Draws the next symbol from a distribution where the step graph does not: filters, bias, penalties.

Pure functions on arrays, one row per lane. Every row is computed from that row alone, in the same order of
operations whatever the batch, so a row's result is the same bytes alone and among many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

_RANDOM_BITS = 51
_DRAWS_PER_BLOCK = 4  # Philox 4x64 gives four numbers for each value of its counter


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters on the symbols that rows may draw, each an array [rows].

    `top_k` ≥ 0 (0 is off), 0 < `top_p` ≤ 1 (1 is off), 0 ≤ `min_p` ≤ 1 (0 is off), 0 < `typical_p` ≤ 1 (1 is
    off).
    """

    top_k: Indices
    top_p: Doubles
    min_p: Doubles
    typical_p: Doubles


@dataclass(frozen=True, slots=True)
class History:
    """The symbols that rows have read and drawn, and the penalties on them (see `lane.Penalties`).

    `counts` [rows, symbols] is how often each was drawn, `seen` [rows, symbols] whether it was given or
    drawn; the penalties are arrays [rows].
    """

    counts: Doubles
    seen: Flags
    presence: Doubles
    frequency: Doubles
    repetition: Doubles


def penalized(logprobs: Doubles, history: History) -> Doubles:
    """Returns log-probabilities [rows, symbols] after penalties; the probabilities no longer sum to one.

    A seen symbol has `repetition` times its log-probability (above 1: less likely), minus `presence` if it
    was drawn, minus `frequency` for every time it was drawn.
    """
    result = np.where(history.seen, logprobs * history.repetition[:, None], logprobs)
    result -= history.frequency[:, None] * history.counts
    result -= history.presence[:, None] * (history.counts > 0)
    return result


def weigh(scores: Doubles, temperature: Doubles, never: int | None) -> Doubles:
    """Returns weights [rows, symbols] of scores at temperatures [rows] > 0; the largest is 1, `never` 0."""
    if never is not None:
        scores = scores.copy()
        scores[:, never] = -np.inf
    shifted = scores - np.maximum.reduce(scores, axis=1, keepdims=True)
    weights: Doubles = np.exp(shifted / temperature[:, None])
    return weights


def truncated(weights: Doubles, filters: Filters) -> Doubles:
    """Returns weights [rows, symbols] after top_k, top_p, min_p and typical_p, in that order.

    The largest stays, unless typical_p excludes it.
    """
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    rank = np.arange(weights.shape[1])
    top_k, top_p, min_p = filters.top_k[:, None], filters.top_p[:, None], filters.min_p[:, None]
    ranked[(top_k > 0) & (rank >= top_k)] = 0.0
    before = np.cumsum(ranked, axis=1) - ranked
    # The smallest set whose probability reaches top_p: a symbol stays while those before it fall short.
    ranked[(top_p < 1) & (before >= top_p * ranked.sum(axis=1, keepdims=True))] = 0.0
    ranked[ranked < min_p * ranked[:, :1]] = 0.0
    rows = np.flatnonzero(filters.typical_p < 1)
    if len(rows):
        ranked[rows] = _typical(ranked[rows], filters.typical_p[rows])
    result = np.empty_like(ranked)
    np.put_along_axis(result, order, ranked, axis=1)
    return result


def _typical(ranked: Doubles, typical_p: Doubles) -> Doubles:
    """Returns weights [rows, symbols], which fall from left to right, after locally typical sampling.

    The symbols stay whose information is nearest to the entropy, until their probability reaches `typical_p`
    (Meister et al., "Locally Typical Sampling", 2022); of equally near ones the likeliest first.
    """
    shares = ranked / ranked.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        information = -np.log(shares)  # of a symbol without weight it is infinite, so that it comes last
    entropy = (shares * np.where(shares > 0, information, 0.0)).sum(axis=1, keepdims=True)
    order = np.argsort(np.abs(information - entropy), axis=1, kind="stable")
    nearest = np.take_along_axis(shares, order, axis=1)
    before = np.cumsum(nearest, axis=1) - nearest
    stays = np.empty(ranked.shape, dtype=np.bool_)
    np.put_along_axis(stays, order, before < typical_p[:, None], axis=1)
    return np.where(stays, ranked, 0.0)


def drawn_logprobs(weights: Doubles, greedy: Flags) -> Doubles:
    """Returns the log-probabilities [rows, symbols] of `draw`'s draws; minus infinity if never drawn."""
    shares = weights / weights.sum(axis=1, keepdims=True)
    shares[greedy] = np.arange(weights.shape[1]) == weights[greedy].argmax(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        logs: Doubles = np.log(shares)
    return logs


def draw(weights: Doubles, uniforms: Doubles, greedy: Flags) -> Indices:
    """Draws one symbol per row by inverse CDF; rows marked greedy take the largest weight (first of equals).

    `weights` [rows, symbols] ≥ 0 with a positive sum, `uniforms` [rows] in (0, 1).
    """
    cumulative = np.add.accumulate(weights, axis=1)
    target = uniforms * cumulative[:, -1]
    drawn: Indices = (cumulative > target[:, None]).argmax(axis=1)
    if greedy.any():
        drawn[greedy] = weights[greedy].argmax(axis=1)
    return drawn


class Uniforms:
    """Generates random numbers by seed and position: odd multiples of 2^-52, inside (0, 1).

    Counter-based (Philox 4x64, Salmon et al. 2011): any position is reached directly, so a stream can
    stop and continue anywhere. Never 0, so that a symbol without weight is not drawn; few enough bits that
    `uniform * total` is always below `total`. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._generator = np.random.Philox(key=0)  # one for all seeds: making one takes longer than a draw
        self._key, self._counter = np.zeros(2, dtype=np.uint64), np.zeros(4, dtype=np.uint64)
        self._state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": self._key},
            "buffer": np.zeros(_DRAWS_PER_BLOCK, dtype=np.uint64),
            "buffer_pos": _DRAWS_PER_BLOCK,
            "has_uint32": 0,
            "uinteger": 0,
        }

    def take(self, seed: int, start: int, count: int) -> Doubles:
        """Returns numbers `start` … `start + count - 1` of a seed's stream."""
        block, skip = divmod(start, _DRAWS_PER_BLOCK)
        self._key[0], self._counter[0] = seed, block
        self._generator.state = self._state
        raw = self._generator.random_raw(skip + count)[skip:] >> np.uint64(64 - _RANDOM_BITS)
        numbers: Doubles = (raw.astype(np.float64) + 0.5) * 2.0**-_RANDOM_BITS
        return numbers


def top(logprobs: Doubles, count: int) -> Indices:
    """Returns ids [rows, count] of the largest log-probabilities, in falling order, ties by id."""
    return np.argsort(-logprobs, axis=1, kind="stable")[:, :count]
