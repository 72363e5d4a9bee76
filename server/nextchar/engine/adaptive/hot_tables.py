"""Keeps the tables of lanes that have ended, for lanes that begin where these did.

A table follows from the text, so that a kept one and one that is built anew predict the same bits: keeping
it saves the time of building it.
"""

from dataclasses import dataclass

import numpy as np

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.adaptive.tables import ROW_BYTES, Run, TablePool, table_rows

_KEY_CHARS = 64  # the last symbols of a text name it; texts that end alike are then compared as a whole

_Key = tuple[Adaptive, int, bytes]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Rows for the table of a lane, and whether they hold it already."""

    run: Run
    is_built: bool


@dataclass(frozen=True, slots=True)
class HotUse:
    """How many tables are kept, their bytes, and how often a lane has found its own (hit) or not (miss).

    Lanes that begin with nothing read are not counted.
    """

    num_tables: int = 0
    num_bytes: int = 0
    num_hits: int = 0
    num_misses: int = 0


class HotTables:
    """Holds tables by the text they follow from, in rows that no running lane needs.

    Rows that are asked for come first: the tables that were used longest ago make room for them. Of memories
    with the same text one table is kept.
    """

    def __init__(self, pool: TablePool) -> None:
        self._pool = pool
        self._kept: dict[_Key, tuple[Memory, Run]] = {}  # in the order of their use
        self._num_rows = self._num_hits = self._num_misses = 0

    @property
    def use(self) -> HotUse:
        """What is kept, and how often it was of use; read by any thread."""
        return HotUse(len(self._kept), self._num_rows * ROW_BYTES, self._num_hits, self._num_misses)

    def reserve(self, memory: Memory, num_steps: int, *, ends_known: bool) -> Reserved | None:
        """Takes rows for the largest table of a memory within some steps; None if there are too few.

        They hold the memory's table if it was kept. Where `ends_known`, the lane's own end takes its place;
        otherwise it stays, since the next lane may begin where this one does.
        """
        size = table_rows(memory.position + num_steps, memory.adaptive)
        kept = self._pop(memory)
        if kept is not None and ends_known and kept.size >= size:
            return Reserved(kept, True)
        run = self._make_room(size)
        if kept is None:
            return None if run is None else Reserved(run, False)
        if run is not None:
            held = table_rows(memory.position, memory.adaptive)
            self._pool.rows[run.first : run.first + held] = self._pool.rows[kept.first : kept.first + held]
            if ends_known:
                self._pool.give_back(kept)
            else:
                self.keep(memory, kept)
            return Reserved(run, True)
        if kept.size >= size:  # there is room for one of them
            return Reserved(kept, True)
        self._pool.give_back(kept)
        run = self._pool.take(size)
        return None if run is None else Reserved(run, False)

    def keep(self, memory: Memory, run: Run) -> None:
        """Keeps the table of a memory, which is in the first rows of a run; those after it are given back."""
        old = self._kept.pop(_key(memory), None)
        if old is not None:
            self._give_back(old[1])
        run = self._pool.shrink(run, table_rows(memory.position, memory.adaptive))
        self._kept[_key(memory)] = memory, run
        self._num_rows += run.size

    def count(self, memory: Memory, reserved: Reserved) -> None:
        """Counts whether a lane that begins has found its table."""
        if memory.position:
            self._num_hits += reserved.is_built
            self._num_misses += not reserved.is_built

    def _pop(self, memory: Memory) -> Run | None:
        """Takes out the table of a memory, if it is kept."""
        found = self._kept.get(_key(memory))
        if found is None or not _same_text(found[0], memory):
            return None
        del self._kept[_key(memory)]
        self._num_rows -= found[1].size
        return found[1]

    def _make_room(self, size: int) -> Run | None:
        while (run := self._pool.take(size)) is None and self._kept:
            _, oldest = self._kept.pop(next(iter(self._kept)))
            self._give_back(oldest)
        return run

    def _give_back(self, run: Run) -> None:
        self._num_rows -= run.size
        self._pool.give_back(run)


def _key(memory: Memory) -> _Key:
    return memory.adaptive, memory.position, memory.ids[-_KEY_CHARS:].tobytes()


def _same_text(one: Memory, other: Memory) -> bool:
    """Returns whether memories of one key have the same table: the weights are no part of it."""
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.learned, other.learned)
