"""Holds the distribution of surprise by the length of a string; interpolates and averages it. Pure NumPy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64] | NDArray[np.float64]

EXTRAPOLATION = 10  # how many times finer than 1 / num_strings a p-value may be
_TABULATED = 64  # lengths whose averages are computed one by one; beyond, neighbours hardly differ
_NUM_BITS = 200
_MAX_VALUES = 1000  # more quantiles add nothing but time
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

    def bits_at(self, num_symbols: int, shares: Doubles) -> Doubles:
        """Returns the bits per symbol that each share [n] of strings has, up to the last quantile."""
        below, above, part = self._place(np.array([num_symbols]))
        (curve,) = _between(self.bits[below], self.bits[above], part[:, None])
        found: Doubles = np.interp(-np.log(shares), -np.log(self.shares), curve)
        return found

    def averaged(self, reach: int) -> "SurpriseCurves":
        """Returns the curves of mixtures: each length with those up to `reach` symbols shorter and longer."""
        every = np.arange(1.0, _TABULATED + 1)
        longer = self.lengths > _TABULATED + reach
        lengths = np.concatenate([every, self.lengths[longer]])
        below, above, part = self._place(lengths)
        return SurpriseCurves(
            lengths,
            self.shares,
            np.concatenate([[self._mixed(length, reach) for length in every], self.bits[longer]]),
            _between(self.tail_bits[below], self.tail_bits[above], part),
            self.tail_shape,
            _between(self.num_strings[below], self.num_strings[above], part),
        )

    def smoothed(self, max_move: float, *, shortest: int) -> tuple[int, "SurpriseCurves"]:
        """Returns the least reach whose averages move by at most `max_move` per symbol, and the averages.

        The move is that of the share of strings at the same bits per symbol, over all bits and from the
        length `shortest` on. A reach that is large enough always exists, since averages of 2 r + 1 shares
        move by at most 1 / (2 r + 1).
        """
        most = math.ceil((1 / max_move - 1) / 2)
        reach = self._reach(max_move, most, shortest)
        while (found := self.averaged(reach)).largest_move(shortest) > max_move and reach < most:
            reach += 1  # their quantiles are interpolated, which the table of shares is not
        return reach, found

    def largest_move(self, shortest: int) -> float:
        """Returns how far the share of the same bits per symbol moves from a length to the next, at most."""
        lengths = np.arange(shortest, _TABULATED + 2)
        return float(np.abs(np.diff(self._table(lengths), axis=0)).max())

    def _reach(self, max_move: float, most: int, shortest: int) -> int:
        """Returns the least reach whose moving averages over a table of shares move by at most `max_move`."""
        table = self._table(np.maximum(1, np.arange(1 - most, _TABULATED + most + 2)))
        sums = np.cumsum(np.vstack([np.zeros_like(table[:1]), table]), axis=0)
        rows = np.arange(shortest, _TABULATED + 2) - 1 + most
        for reach in range(most):
            means = (sums[rows + reach + 1] - sums[rows - reach]) / (2 * reach + 1)
            if np.abs(np.diff(means, axis=0)).max() <= max_move:
                return reach
        return most

    def _table(self, lengths: NDArray[np.int64]) -> Doubles:
        """Returns the shares [lengths, bits] on a grid of bits per symbol."""
        grid = np.linspace(self.bits.min(), self.bits.max(), _NUM_BITS)
        found = self.p_values(np.repeat(lengths, len(grid)), np.tile(grid, len(lengths)))
        return found.reshape(len(lengths), -1)

    def _place(self, num_symbols: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
        """Returns the curves below and above each length, and how far between them it is."""
        count = len(self.lengths)
        place = np.interp(np.log(np.maximum(1, num_symbols)), np.log(self.lengths), np.arange(count))
        below = place.astype(np.int64)
        return below, np.minimum(below + 1, count - 1), place - below

    def _tail(self, excess: Doubles) -> Doubles:
        """Returns minus the logarithm of the share of the tail that lies beyond an excess, in scales."""
        if abs(self.tail_shape) < 1e-9:
            return excess
        inside = np.maximum(1 + self.tail_shape * excess, 1e-300)  # 0 is the end of a tail that has one
        beyond: Doubles = np.log(inside) / self.tail_shape
        return beyond

    def _mixed(self, length: float, reach: int) -> Doubles:
        """Returns the quantiles [l] of the mixture of the lengths around one."""
        around = np.maximum(1.0, length + np.arange(-reach, reach + 1))
        below, above, part = self._place(around)
        curves = _between(self.bits[below], self.bits[above], part[:, None])
        values = np.unique(curves)
        values = values[:: 1 + len(values) // _MAX_VALUES]
        shares = self.p_values(np.repeat(around, len(values)), np.tile(values, len(around)))
        mean = shares.reshape(len(around), -1).mean(axis=0)
        quantiles: Doubles = np.interp(-np.log(self.shares), -np.log(mean), values)
        quantiles[0] = curves[:, 0].min()
        return np.maximum.accumulate(quantiles)


def _between(low: Doubles, high: Doubles, part: Doubles) -> Doubles:
    found: Doubles = (1 - part) * low + part * high
    return found
