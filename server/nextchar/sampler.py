"""From logits to the next character: pure functions on arrays, one row a lane.

Every row is computed from that row alone, in the same order of operations whatever the batch, so a
row's result is the same bytes alone and among many. Probabilities are float64.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

_MANTISSA_BITS = 52
_DRAWS_PER_BLOCK = 4  # Philox 4x64 gives four numbers for each value of its counter


@dataclass(frozen=True, slots=True)
class Filters:
    """Which symbols some rows may draw, each an array [rows].

    `top_k` ≥ 0 (0 is off), 0 < `top_p` ≤ 1 (1 is off), 0 ≤ `min_p` ≤ 1 (0 is off).
    """

    top_k: Indices
    top_p: Doubles
    min_p: Doubles


class Softmax:
    """The distributions of logits [rows, symbols], in the pieces that are needed anyway.

    `shifted` are the logits minus their row's largest, `weights` their exponentials (so the largest is
    1), `log_totals` [rows] the logarithm of each row's sum of weights.
    """

    __slots__ = ("log_totals", "shifted", "weights")

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self.shifted: Doubles = logits.astype(np.float64)
        self.shifted -= np.maximum.reduce(self.shifted, axis=1, keepdims=True)
        self.weights: Doubles = np.exp(self.shifted)
        self.log_totals: Doubles = np.log(np.add.reduce(self.weights, axis=1))

    def logprobs(self, rows: Indices | slice) -> Doubles:
        """Natural log-probabilities [rows, symbols] of some rows."""
        result: Doubles = self.shifted[rows] - self.log_totals[rows, None]
        return result

    def logprobs_of(self, rows: Indices, ids: Indices) -> Doubles:
        """The log-probability [rows] of one symbol in each of some rows."""
        result: Doubles = self.shifted[rows, ids] - self.log_totals[rows]
        return result


def log_softmax(logits: NDArray[np.float32]) -> Doubles:
    """Natural log-probabilities [rows, symbols] of logits [rows, symbols]."""
    return Softmax(logits).logprobs(slice(None))


def without(symbol: int, shifted: Doubles) -> Doubles:
    """Shifted logits in which one symbol has no weight; the largest of the others is 0."""
    result = shifted.copy()
    result[:, symbol] = -np.inf
    if (shifted[:, symbol] == 0).any():  # the symbol was the largest somewhere
        result -= np.maximum.reduce(result, axis=1, keepdims=True)
    return result


def tempered(shifted: Doubles, temperature: Doubles) -> Doubles:
    """Weights [rows, symbols] of shifted logits at temperatures [rows] > 0; the largest is 1."""
    weights: Doubles = np.exp(shifted / temperature[:, None])
    return weights


def truncated(weights: Doubles, filters: Filters) -> Doubles:
    """Weights [rows, symbols] after top_k, top_p and min_p, in that order; the largest always stays."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    rank = np.arange(weights.shape[1])
    top_k, top_p, min_p = filters.top_k[:, None], filters.top_p[:, None], filters.min_p[:, None]
    ranked[(top_k > 0) & (rank >= top_k)] = 0.0
    before = np.cumsum(ranked, axis=1) - ranked
    # The smallest set whose probability reaches top_p: a symbol stays while those before it fall short.
    ranked[(top_p < 1) & (before >= top_p * ranked.sum(axis=1, keepdims=True))] = 0.0
    ranked[ranked < min_p * ranked[:, :1]] = 0.0
    result = np.empty_like(ranked)
    np.put_along_axis(result, order, ranked, axis=1)
    return result


def draw(weights: Doubles, uniforms: Doubles, greedy: NDArray[np.bool_] | None = None) -> Indices:
    """One symbol a row by inverse CDF; rows marked greedy take the largest weight (first of equals).

    `weights` [rows, symbols] ≥ 0 with a positive sum, `uniforms` [rows] in [0, 1).
    """
    cumulative = np.add.accumulate(weights, axis=1)
    target = uniforms * cumulative[:, -1]
    drawn: Indices = (cumulative > target[:, None]).argmax(axis=1)
    if greedy is not None:
        drawn[greedy] = weights[greedy].argmax(axis=1)
    return drawn


def uniforms(seed: int, start: int, count: int) -> Doubles:
    """Numbers `start` … `start + count - 1` of a seed's stream, each a multiple of 2^-52 in [0, 1).

    Counter-based (Philox 4x64, Salmon et al. 2011): any position is reached directly, so a stream can
    stop and go on anywhere. 52 bits, so that `uniform * total` is always below `total`.
    """
    block, skip = divmod(start, _DRAWS_PER_BLOCK)
    generator = np.random.Philox(key=seed, counter=block)
    raw = generator.random_raw(skip + count)[skip:]
    return (raw >> np.uint64(64 - _MANTISSA_BITS)).astype(np.float64) * 2.0**-_MANTISSA_BITS


def top(logprobs: Doubles, count: int) -> Indices:
    """Ids [rows, count] of the largest log-probabilities, in falling order, ties by id."""
    return np.argsort(-logprobs, axis=1, kind="stable")[:, :count]
