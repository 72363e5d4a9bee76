"""Holds the tables of all adaptive lanes in one array, so that one look-up serves them all."""

import mmap
from dataclasses import dataclass

import numpy as np

from nextchar.engine.adaptive.contexts import WAYS, Entries, table_bits
from nextchar.engine.adaptive.options import MAX_WINDOW, NUM_ORDERS, Adaptive

ROW_BYTES = WAYS * 8


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of the array that one lane has for its table: a power of two, at a multiple of it."""

    first: int
    size: int


def table_rows(position: int, adaptive: Adaptive) -> int:
    """Returns how many rows the table of a lane has after `position` symbols."""
    return NUM_ORDERS << table_bits(position, adaptive)


def table_bytes(position: int, adaptive: Adaptive) -> int:
    """Returns the bytes of the table of a lane after `position` symbols."""
    return table_rows(position, adaptive) * ROW_BYTES


MAX_TABLE_BYTES = table_bytes(MAX_WINDOW, Adaptive(window=MAX_WINDOW))  # of one lane
DEFAULT_TABLE_BYTES = 256 << 20  # of all lanes of an engine


class TablePool:
    """Gives out runs of rows, of `max_bytes` together (buddy system, Knowlton 1965).

    `rows` [all rows, WAYS] never moves. Rows that were not written take no memory, and those of a run that is
    given back are returned to the system.
    """

    def __init__(self, max_bytes: int) -> None:
        num_rows = max_bytes // ROW_BYTES
        assert num_rows > 0
        self._map = mmap.mmap(-1, num_rows * ROW_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.rows: Entries = np.frombuffer(self._map, dtype=np.int64).reshape(num_rows, WAYS)
        self._free: dict[int, set[int]] = {1 << bit: set() for bit in range(num_rows.bit_length())}
        first = 0
        for size in reversed(self._free):
            if num_rows & size:
                self._free[size].add(first)
                first += size

    def take(self, size: int) -> Run | None:
        """Takes a run of `size` rows, a power of two; None if there is none."""
        found = next((have for have, runs in self._free.items() if have >= size and runs), None)
        if found is None:
            return None
        first = min(self._free[found])
        self._free[found].remove(first)
        while found > size:
            found //= 2
            self._free[found].add(first + found)
        return Run(first, size)

    def give_back(self, run: Run) -> None:
        """Takes a run back, and its memory."""
        start, length = run.first * ROW_BYTES, run.size * ROW_BYTES
        whole_pages = (start | length) % mmap.PAGESIZE == 0  # none that another run has a part of
        if whole_pages and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, length)
        self._free_run(run)

    def shrink(self, run: Run, size: int) -> Run:
        """Returns the first `size` rows of a run, a power of two; the others, not written, are given back."""
        for half in (run.size >> k for k in range(1, (run.size // size).bit_length())):
            self._free_run(Run(run.first + half, half))
        return Run(run.first, size)

    def _free_run(self, run: Run) -> None:
        """Frees a run, joined with the one beside it where that is free."""
        first, size = run.first, run.size
        while first ^ size in self._free.get(size, ()):
            self._free[size].remove(first ^ size)
            first, size = min(first, first ^ size), 2 * size
        self._free[size].add(first)
