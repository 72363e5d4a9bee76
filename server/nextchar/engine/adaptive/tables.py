"""Holds the tables of all adaptive lanes in one array, so that one look-up serves them all."""

import numpy as np

from nextchar.engine.adaptive.contexts import NO_ENTRY, WAYS, Entries


class TablePool:
    """Gives out runs of rows; a run that is freed is given to the next table of its size.

    `rows` [all rows, WAYS] is replaced by a longer array when it is full, and by none when all runs are free.
    """

    def __init__(self) -> None:
        self.rows: Entries = np.empty((0, WAYS), dtype=np.int64)
        self._num_used = 0  # rows ever given out
        self._free: dict[int, list[int]] = {}
        self._num_runs = 0

    @property
    def num_bytes(self) -> int:
        return self.rows.nbytes

    def put(self, table: Entries) -> int:
        """Stores a table; returns its first row."""
        size = len(table)
        self._num_runs += 1
        free = self._free.get(size)
        if free:
            first = free.pop()
        else:
            first, self._num_used = self._num_used, self._num_used + size
            if self._num_used > len(self.rows):
                grown = np.full((2 * self._num_used, WAYS), NO_ENTRY, dtype=np.int64)
                grown[:first] = self.rows[:first]
                self.rows = grown
        self.rows[first : first + size] = table
        return first

    def free(self, first: int, size: int) -> None:
        """Takes a table back."""
        self._free.setdefault(size, []).append(first)
        self._num_runs -= 1
        if not self._num_runs:
            self.rows = np.empty((0, WAYS), dtype=np.int64)
            self._num_used, self._free = 0, {}
