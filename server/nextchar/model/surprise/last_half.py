"""Keeps what the next line of a text is compared with: the last half of all lines read, and at most so many.

The first lines of a text surprise far more than the later ones, because nothing is learned yet; with them, no
later line would seem unusual. The last half forgets them at the rate at which learning slows down.
"""

import numpy as np

from nextchar.model.surprise.curves import Doubles


class LastHalf:
    """Keeps some numbers of each line. It takes 8 bytes for each number of `max_lines`, whatever comes."""

    def __init__(self, num_measures: int, max_lines: int) -> None:
        """Begins without any line; at most `max_lines` are compared with."""
        if max_lines < 1:
            raise ValueError(f"max_lines must be at least 1 (it is {max_lines})")
        self.max_lines, self._num_lines = max_lines, 0
        self._kept = np.zeros((num_measures, max_lines))  # by the number of the line, modulo `max_lines`

    @classmethod
    def restored(cls, num_lines: int, lines: Doubles, max_lines: int) -> "LastHalf":
        """Returns one that has read `num_lines`, of which `lines` [measures, n] are those it compares with.

        Raises:
            ValueError: those are not as many as it compares with.
        """
        found = cls(len(lines), max_lines)
        found._num_lines = num_lines
        if lines.shape[1] != found.num_compared:
            raise ValueError(
                f"{num_lines} lines are compared with {found.num_compared}, not {lines.shape[1]}"
            )
        places = np.arange(num_lines - found.num_compared, num_lines, dtype=np.int64) % max_lines
        found._kept[:, places] = lines
        return found

    @property
    def num_lines(self) -> int:
        """How many lines were read."""
        return self._num_lines

    @property
    def num_compared(self) -> int:
        """How many lines the next one is compared with."""
        return min((self._num_lines + 1) // 2, self.max_lines)

    def compared(self, measure: int) -> Doubles:
        """Returns a number of each of the lines that the next one is compared with, from the first on [n]."""
        kept, begin = self._kept[measure], (self._num_lines - self.num_compared) % self.max_lines
        end = begin + self.num_compared
        return np.concatenate([kept[begin:end], kept[: max(0, end - self.max_lines)]])

    def add(self, *numbers: float) -> None:
        """Counts a line among those read, by its numbers [measures]."""
        self._kept[:, self._num_lines % self.max_lines] = numbers
        self._num_lines += 1

    def copy(self) -> "LastHalf":
        """Returns one that goes on from here by itself."""
        found = LastHalf(len(self._kept), self.max_lines)
        found._num_lines, found._kept = self._num_lines, self._kept.copy()
        return found
