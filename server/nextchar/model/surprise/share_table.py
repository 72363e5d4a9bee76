"""Tabulates p-values and their averages for the lengths of most strings: every score reads them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.surprise.curves import Doubles, SurpriseCurves

# The bits of one or two characters are few different numbers, between which nothing may be interpolated.
FIRST, LAST = 3, 64
_NUM_BITS = 1024


@dataclass(frozen=True)
class ShareTable:
    """Logarithms of p-values, and of averages of them, [lengths from `FIRST` to `LAST`, bits].

    The bits per symbol are multiples of `step`. A lookup is linear in the logarithm between two of them, so
    it falls with the bits as `SurpriseCurves` do.
    """

    step: float
    shares: Doubles
    averages: Doubles

    @classmethod
    def of(cls, curves: SurpriseCurves, reach: int) -> "ShareTable":
        """Tabulates curves, and their averages over `reach` symbols to either side."""
        grid = np.linspace(0, curves.most_bits(), _NUM_BITS)
        lengths = np.maximum(1, np.arange(FIRST - reach, LAST + reach + 1))
        table = curves.table(lengths, grid)
        sums = np.cumsum(np.vstack([np.zeros_like(grid), table]), axis=0)
        means = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
        own = table[reach : reach + len(means)]
        return cls(float(grid[1]), np.log(own), np.log(means))

    def has(self, num_symbols: Doubles) -> NDArray[np.bool_]:
        """Marks the lengths that are in the table."""
        whole: NDArray[np.bool_] = num_symbols == np.floor(num_symbols)
        return whole & (num_symbols >= FIRST) & (num_symbols <= LAST)

    def read(self, table: Doubles, num_symbols: Doubles, bits: Doubles) -> Doubles:
        """Returns what `shares` or `averages` has for lengths that are in it, and bits per symbol."""
        rows = num_symbols.astype(np.int64) - FIRST
        places = np.minimum(bits / self.step, _NUM_BITS - 1)
        below = np.minimum(places.astype(np.int64), _NUM_BITS - 2)
        part = places - below
        found: Doubles = np.exp((1 - part) * table[rows, below] + part * table[rows, below + 1])
        return found
