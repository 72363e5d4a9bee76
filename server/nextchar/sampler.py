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
    """Sampling parameters of some rows, each an array [rows].

    `temperature` ≥ 0 (0 is greedy), `top_k` ≥ 0 (0 is off), 0 < `top_p` ≤ 1 (1 is off),
    0 ≤ `min_p` < 1 (0 is off).
    """

    temperature: Doubles
    top_k: Indices
    top_p: Doubles
    min_p: Doubles


def log_softmax(logits: NDArray[np.float32]) -> Doubles:
    """Natural log-probabilities [rows, symbols] of logits [rows, symbols]."""
    shifted: Doubles = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def filtered_weights(logprobs: Doubles, filters: Filters) -> Doubles:
    """Unnormalised probabilities [rows, symbols] after temperature, top_k, top_p, min_p, in that order.

    Rows with temperature 0 are left at temperature 1: `draw` takes their largest.
    """
    temperature = np.where(filters.temperature > 0, filters.temperature, 1.0)
    scaled = logprobs / temperature[:, None]
    weights: Doubles = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    rows = np.flatnonzero((filters.top_k > 0) | (filters.top_p < 1) | (filters.min_p > 0))
    if len(rows):
        weights[rows] = _truncate(weights[rows], filters, rows)
    return weights


def _truncate(weights: Doubles, filters: Filters, rows: Indices) -> Doubles:
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    rank = np.arange(weights.shape[1])
    top_k = filters.top_k[rows, None]
    ranked[(top_k > 0) & (rank >= top_k)] = 0.0
    before = np.cumsum(ranked, axis=1) - ranked
    # The smallest set whose probability reaches top_p: a symbol stays while those before it fall short.
    top_p = filters.top_p[rows, None]
    ranked[(top_p < 1) & (before >= top_p * ranked.sum(axis=1, keepdims=True))] = 0.0
    ranked[ranked < filters.min_p[rows, None] * ranked[:, :1]] = 0.0
    result = np.empty_like(ranked)
    np.put_along_axis(result, order, ranked, axis=1)
    return result


def draw(weights: Doubles, uniforms: Doubles, greedy: NDArray[np.bool_]) -> Indices:
    """One symbol a row by inverse CDF; rows marked greedy take the largest weight (first of equals).

    `weights` [rows, symbols] ≥ 0 with a positive sum, `uniforms` [rows] in [0, 1).
    """
    cumulative = np.cumsum(weights, axis=1)
    target = uniforms * cumulative[:, -1]
    drawn: Indices = (cumulative <= target[:, None]).sum(axis=1)
    if greedy.any():
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
