"""Encodes whole strings as training examples: begin x1 … xn is read, x1 … xn end is predicted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import IGNORED
from nextchar_training.text.code_points import Text
from nextchar_training.text.vocabulary import encode

Ids = NDArray[np.int64]

_NEWLINE = ord("\n")


class EncodedLines:
    """The lines of a text as ids, without padding; `lengths` int64 [num_lines] in characters."""

    def __init__(self, text: Text, vocabulary: Vocabulary) -> None:
        assert vocabulary.end_id is not None, "the unit must be line"
        self.begin_id, self.end_id = vocabulary.begin_id, vocabulary.end_id
        edges = np.flatnonzero(text.code_points == _NEWLINE)
        bounds = np.concatenate([[-1], edges, [len(text)]])
        self.lengths = np.diff(bounds) - 1
        self._ends = np.cumsum(self.lengths)
        self._ids = encode(vocabulary, Text(text.code_points[text.code_points != _NEWLINE]))

    @property
    def num_symbols(self) -> int:
        """The number of predicted symbols: every character, and one end per line."""
        return len(self._ids) + len(self.lengths)

    def matrices(self, rows: Ids, *, max_chars: int | None = None) -> tuple[Ids, Ids]:
        """Returns the ids to read and to predict of some lines, int64 [time, len(rows)], padded.

        A line longer than `max_chars` is cut there, and its end is not predicted.
        """
        longest = int(self.lengths[rows].max())
        cut = longest if max_chars is None else min(longest, max_chars)
        inputs = np.full((cut + 1, len(rows)), self.end_id, dtype=np.int64)
        targets = np.full((cut + 1, len(rows)), IGNORED, dtype=np.int64)
        inputs[0] = self.begin_id
        for column, row in enumerate(rows):
            end, length = self._ends[row], self.lengths[row]
            ids = self._ids[end - length : end][:cut]
            inputs[1 : len(ids) + 1, column] = ids
            targets[: len(ids), column] = ids
            if len(ids) == length:
                targets[length, column] = self.end_id
        return inputs, targets

    def by_length(self, max_symbols: int) -> Iterator[Ids]:
        """Yields all row numbers, shortest line first, in groups of at most `max_symbols` when padded."""
        yield from pack(np.argsort(self.lengths, kind="stable"), self.lengths, max_symbols)

    def sequence(self) -> Ids:
        """Returns all lines in sequence, int64 [n]: begin x1 … xn end begin …"""
        size = self.lengths + 2
        ids = np.empty(int(size.sum()), dtype=np.int64)
        inside = np.ones(len(ids), dtype=bool)
        ends = np.cumsum(size)
        inside[ends - size] = False
        inside[ends - 1] = False
        ids[inside] = self._ids
        ids[ends - size], ids[ends - 1] = self.begin_id, self.end_id
        return ids


def pack(rows: Ids, lengths: Ids, max_symbols: int) -> Iterator[Ids]:
    """Cuts rows sorted by length into groups whose padded size is at most `max_symbols`."""
    first = 0
    for i, row in enumerate(rows):
        if (i - first + 1) * (lengths[row] + 1) > max_symbols and i > first:
            yield rows[first:i]
            first = i
    yield rows[first:]
