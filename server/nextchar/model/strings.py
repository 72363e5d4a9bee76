"""Holds many strings of ids in one array, so that work on all of them needs no loop over them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class Strings(Sequence[Ids]):
    """Lists strings of ids; string k is `flat[starts[k]:starts[k + 1]]`."""

    def __init__(self, flat: Ids, lengths: Ids) -> None:
        """Keeps ids [total] and how many of them belong to each string [n]."""
        self.flat, self.lengths = flat, lengths
        self.starts: Ids = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=self.starts[1:])
        assert self.starts[-1] == len(flat)

    @classmethod
    def of(cls, strings: Sequence[Ids]) -> "Strings":
        """Returns strings in one array; they may be in one already."""
        if isinstance(strings, cls):
            return strings
        lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
        return cls(np.concatenate([np.empty(0, dtype=np.int64), *strings]), lengths)

    @classmethod
    def joined(cls, parts: Sequence["Strings"]) -> "Strings":
        """Returns the strings of all parts, in their order."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(
            np.concatenate([nothing, *(part.flat for part in parts)]),
            np.concatenate([nothing, *(part.lengths for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Ids: ...
    @overload
    def __getitem__(self, index: slice) -> "Strings": ...
    def __getitem__(self, index: int | slice) -> "Ids | Strings":
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            assert step == 1
            last = max(first, last)
            return Strings(self.flat[self.starts[first] : self.starts[last]], self.lengths[first:last])
        place = range(len(self))[index]
        return self.flat[self.starts[place] : self.starts[place + 1]]

    def __iter__(self) -> Iterator[Ids]:
        bounds = self.starts.tolist()
        return (self.flat[first:last] for first, last in pairwise(bounds))

    def ending_in(self, symbol_id: int) -> "Strings":
        """Returns the strings with one more symbol at the end of each."""
        return Strings(np.insert(self.flat, self.starts[1:], symbol_id), self.lengths + 1)

    def places(self, rows: Ids) -> Ids:
        """Returns where the symbols of some strings are in `flat`, string after string."""
        return ranges(self.starts[rows], self.lengths[rows])

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums values [total] over the symbols of each string, from the first on; 0 for an empty one."""
        totals = np.zeros(len(self), dtype=values.dtype)
        filled = self.lengths > 0
        if filled.any():
            totals[filled] = np.add.reduceat(values, self.starts[:-1][filled])
        return totals


def ranges(starts: Ids, lengths: Ids) -> Ids:
    """Returns the numbers from each start on, as many as its length, one range after the other."""
    skipped = np.cumsum(lengths) - lengths
    return np.repeat(starts - skipped, lengths) + np.arange(int(lengths.sum()))
