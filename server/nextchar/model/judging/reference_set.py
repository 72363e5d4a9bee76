"""Scores strings by all references of a judge at once: one look-up per n-gram, whatever their number.

The n-grams of all references are put into one table per length. Of a gram that few references have, the
entries are listed; where the table is small, it is a matrix with a column for each reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.judging.reference import Reference
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids

Places = NDArray[np.intp]

_MAX_MATRIX = 2**21  # entries
_MAX_VALUES = 2**22  # positions times references, per slice


@dataclass(frozen=True)
class _Values:
    """A value for some of the references of each gram, sorted by gram: gram g has those from starts[g] on."""

    starts: Places
    references: Places
    values: Doubles
    matrix: Doubles | None  # the same with NaN where a reference has none, if that is small

    def put(self, into: Doubles, positions: Places, grams: Places, *, adds: bool) -> None:
        """Sets or adds to `into` [positions, references] the values of the gram of each position."""
        if self.matrix is not None:
            rows = self.matrix[grams]
            into[positions] = (
                into[positions] + np.nan_to_num(rows)
                if adds
                else np.where(np.isnan(rows), into[positions], rows)
            )
            return
        counts = self.starts[grams + 1] - self.starts[grams]
        ends = np.cumsum(counts)
        entries = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            self.starts[grams] - ends + counts, counts
        )
        rows, columns = np.repeat(positions, counts), self.references[entries]
        into[rows, columns] = self.values[entries] + (into[rows, columns] if adds else 0.0)


@dataclass(frozen=True)
class _Table:
    """The n-grams of one length of all references: sorted keys, log-probabilities and back-off weights."""

    keys: Ids
    logprobs: _Values
    backoffs: _Values


class ReferenceSet:
    """The references of a judge over one vocabulary."""

    def __init__(self, references: Sequence[Reference]) -> None:
        """Merges the tables of references, of which there is at least one."""
        self._references = tuple(references)
        self._begin_id = references[0].begin_id
        self._unseen = np.array([reference.unseen for reference in references])
        self._tables = self._merged()

    def logprobs(self, strings: Sequence[Ids]) -> Doubles:
        """Returns the log-probability of each string under each reference, float64 [n, references]."""
        sizes = np.array([len(string) for string in strings], dtype=np.int64)
        found = np.zeros((len(sizes), len(self._references)))
        most = max(1, _MAX_VALUES // len(self._references))
        slices = np.cumsum(sizes + 1) // most
        for number in np.unique(slices).tolist():
            rows = np.flatnonzero(slices == number)
            found[rows] = self._slice([strings[i] for i in rows.tolist()], sizes[rows])
        for k, reference in enumerate(self._references):
            if len(reference.lengths):
                found[:, k] += reference.lengths[np.minimum(sizes, len(reference.lengths) - 1)]
        return found

    def _slice(self, strings: list[Ids], sizes: Ids) -> Doubles:
        begin = np.full(1, self._begin_id, dtype=np.int64)
        ids = np.concatenate([part for string in strings for part in (begin, string)])
        found: Doubles = np.add.reduceat(self._symbols(ids), np.cumsum(sizes + 1) - sizes - 1, axis=0)
        return found

    def _symbols(self, ids: Ids) -> Doubles:
        """Returns log p of each id after those before it in its string [ids, references]; 0 for begin."""
        base, positions = self._begin_id + 1, np.arange(len(ids))
        depth = positions - np.maximum.accumulate(np.where(ids == self._begin_id, positions, 0))
        found = np.tile(self._unseen, (len(ids), 1))
        shorter = np.zeros(len(ids), dtype=np.int64)
        for k, table in enumerate(self._tables, start=1):
            at = np.flatnonzero((depth >= k - 1) & (shorter >= 0))
            keys = shorter[at] * base + ids[at - k + 1]
            place = np.minimum(np.searchsorted(table.keys, keys), len(table.keys) - 1)
            gram = np.full(len(ids), -1, dtype=np.int64)
            known = table.keys[place] == keys
            gram[at[known]] = place[known]
            if k > 1:  # the context ends one position before
                context = np.where(depth >= k - 1, np.roll(shorter, 1), -1)
                has = np.flatnonzero(context >= 0)
                self._tables[k - 2].backoffs.put(found, has, context[has], adds=True)
            has = np.flatnonzero(gram >= 0)
            table.logprobs.put(found, has, gram[has], adds=False)
            shorter = gram
        found[ids == self._begin_id] = 0.0
        return found

    def _merged(self) -> list[_Table]:
        base, tables = self._begin_id + 1, list[_Table]()
        places = [np.zeros(1, dtype=np.int64)] * len(self._references)  # of each reference's shorter grams
        for k in range(max(len(reference.grams) for reference in self._references)):
            having = [(r, one.grams[k]) for r, one in enumerate(self._references) if k < len(one.grams)]
            own = {r: places[r][grams.keys // base] * base + grams.keys % base for r, grams in having}
            keys = np.unique(np.concatenate(list(own.values())))
            places = [np.searchsorted(keys, own[r]) if r in own else places[r] for r in range(len(places))]
            at = np.concatenate([places[r] for r, _ in having])
            of = np.concatenate([np.full(len(grams.keys), r) for r, grams in having])
            values = [np.concatenate([grams.logprobs for _, grams in having])]
            values.append(np.concatenate([grams.backoffs for _, grams in having]))
            tables.append(_Table(keys, *(self._values(at, of, one, len(keys)) for one in values)))
        return tables

    def _values(self, grams: Places, references: Places, values: NDArray[np.float32], num: int) -> _Values:
        order = np.argsort(grams, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(grams, minlength=num))])
        doubles = values.astype(np.float64)
        matrix = None
        if num * len(self._references) <= _MAX_MATRIX:
            matrix = np.full((num, len(self._references)), np.nan)
            matrix[grams, references] = doubles
        return _Values(starts, references[order], doubles[order], matrix)
