"""Holds the distribution of surprise by the length of a string; interpolates and averages it. Pure NumPy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64] | NDArray[np.float64]

EXTRAPOLATION = 10  # how many times finer than 1 / num_strings a p-value may be
_TABULATED = 64  # lengths whose averages are looked at; beyond, neighbours hardly differ
_NUM_BITS = 300
_EXPONENTIAL = 1e-9  # shapes below are none
_SLICE = 16_384  # strings


@dataclass(frozen=True)
class SurpriseCurves:
    """The distribution of bits per symbol at k lengths, by its quantiles at l shares and a tail.

    `lengths` [k] rises; `shares` [l] falls from 1: the share of strings with at least the `bits` [k, l].
    Beyond the last share, the tail of length i is generalised Pareto with `tail_bits[i]` and `tail_shape`.
    """

    lengths: Doubles
    shares: Doubles
    bits: Doubles
    tail_bits: Doubles
    tail_shape: float
    num_strings: Doubles

    def p_values(self, num_symbols: Numbers, bits: Doubles) -> Doubles:
        """Returns the share of strings [n] of each length with at least so many bits per symbol."""
        slices = [slice(first, first + _SLICE) for first in range(0, len(bits), _SLICE)]
        return np.concatenate([np.empty(0), *(self._slice(num_symbols[s], bits[s]) for s in slices)])

    def _slice(self, num_symbols: Numbers, bits: Doubles) -> Doubles:
        below, above, part = self._place(num_symbols)
        curves = _between(self.bits[below], self.bits[above], part[:, None])
        logs = np.log(self.shares)
        rows, first = np.arange(len(bits)), (curves < bits[:, None]).sum(axis=1) - 1
        first = np.clip(first, 0, len(logs) - 2)
        low, high = curves[rows, first], curves[rows, first + 1]
        inside = np.clip((bits - low) / np.where(high > low, high - low, 1.0), 0, 1)
        body = _between(logs[first], logs[first + 1], inside)
        scales = _between(self.tail_bits[below], self.tail_bits[above], part)
        excess = np.maximum(0.0, bits - curves[:, -1]) / scales
        found: Doubles = np.exp(body - self._tail(excess))
        return np.maximum(found, self.finest(num_symbols))

    def finest(self, num_symbols: Numbers) -> Doubles:
        """Returns the least p-value [n] that the held-out strings of about each length allow."""
        below, above, part = self._place(num_symbols)
        strings = _between(self.num_strings[below], self.num_strings[above], part)
        least: Doubles = 1 / (EXTRAPOLATION * strings)
        return least

    def bits_at(self, num_symbols: float, shares: Doubles) -> Doubles:
        """Returns the bits per symbol that each share [n] of strings has, up to the last quantile."""
        below, above, part = self._place(np.array([num_symbols]))
        (curve,) = _between(self.bits[below], self.bits[above], part[:, None])
        found: Doubles = np.interp(-np.log(shares), -np.log(self.shares), curve)
        return found

    def averaged(self, num_symbols: Numbers, bits: Doubles, *, reach: int) -> Doubles:
        """Returns the mean of the p-values [n] of each length and those up to `reach` symbols from it.

        The bits per symbol are the same at all of them; lengths below 1 count as 1.
        """
        total, symbols = np.zeros(len(bits)), np.asarray(num_symbols, dtype=np.float64)
        for shift in range(-reach, reach + 1):
            total += self.p_values(np.maximum(1, symbols + shift), bits)
        mean: Doubles = total / (2 * reach + 1)
        return mean

    def least_reach(self, max_move: float, *, shortest: int) -> int:
        """Returns the least reach at which averages move by at most `max_move` from a length to the next.

        The move is that at the same bits per symbol, over all bits and from the length `shortest` on. Such a
        reach always exists, since averages of 2 r + 1 shares move by at most 1 / (2 r + 1).
        """
        most = math.ceil((1 / max_move - 1) / 2)
        grid = np.linspace(self.bits.min(), self.bits.max(), _NUM_BITS)
        table = self.table(np.maximum(1, np.arange(1 - most, _TABULATED + most + 2)), grid)
        sums = np.cumsum(np.vstack([np.zeros_like(table[:1]), table]), axis=0)
        rows = np.arange(shortest, _TABULATED + 2) - 1 + most
        for reach in range(most):
            means = (sums[rows + reach + 1] - sums[rows - reach]) / (2 * reach + 1)
            if np.abs(np.diff(means, axis=0)).max() <= max_move:
                return reach
        return most

    def most_bits(self) -> float:
        """Returns bits per symbol beyond which every p-value is the least that can be told."""
        depth = np.log(self.shares[-1] * EXTRAPOLATION * self.num_strings)
        shape = self.tail_shape
        excess = depth if abs(shape) < _EXPONENTIAL else np.expm1(shape * depth) / shape
        return float((self.bits[:, -1] + np.maximum(0.0, excess) * self.tail_bits).max()) + 1

    def table(self, lengths: Numbers, grid: Doubles) -> Doubles:
        """Returns the p-values [lengths, bits] of all pairs of lengths and bits per symbol."""
        symbols = np.repeat(np.asarray(lengths, dtype=np.float64), len(grid))
        found = self.p_values(symbols, np.tile(grid, len(lengths)))
        return found.reshape(len(lengths), -1)

    def _place(self, num_symbols: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
        """Returns the curves below and above each length, and how far between them it is."""
        count = len(self.lengths)
        place = np.interp(np.log(np.maximum(1, num_symbols)), np.log(self.lengths), np.arange(count))
        below = place.astype(np.int64)
        return below, np.minimum(below + 1, count - 1), place - below

    def _tail(self, excess: Doubles) -> Doubles:
        """Returns minus the logarithm of the share of the tail that lies beyond an excess, in scales."""
        if abs(self.tail_shape) < _EXPONENTIAL:
            return excess
        inside = np.maximum(1 + self.tail_shape * excess, 1e-300)  # 0 is the end of a tail that has one
        beyond: Doubles = np.log(inside) / self.tail_shape
        return beyond


def _between(low: Doubles, high: Doubles, part: Doubles) -> Doubles:
    found: Doubles = (1 - part) * low + part * high
    return found
