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
    """Rows for the table of a lane, and whether they hold it already.

    Where `ends_known`, the lane will leave the table that it ends with.
    """

    run: Run
    is_built: bool
    ends_known: bool


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

    Rows that are asked for come first: the tables that were used longest ago make room for them. Of texts
    that are equally long and end alike, the table of the last one is kept.
    """

    def __init__(self, pool: TablePool) -> None:
        self._pool = pool
        self._kept: dict[_Key, tuple[Memory, Run]] = {}  # in the order of their use
        self._num_hits = self._num_misses = 0

    @property
    def use(self) -> HotUse:
        """What is kept, and how often it was of use; read by any thread."""
        sizes = [run.size for _, run in tuple(self._kept.values())]
        return HotUse(len(sizes), sum(sizes) * ROW_BYTES, self._num_hits, self._num_misses)

    def reserve(self, memory: Memory, num_steps: int, *, ends_known: bool) -> Reserved | None:
        """Takes rows for the largest table of a memory within some steps; None if there are too few.

        Where `ends_known`, they are those of the memory's own table, if it is kept and they suffice.
        """
        size = table_rows(memory.position + num_steps, memory.adaptive)
        kept = self._find(memory)
        if kept is not None and ends_known and kept.size >= size:
            del self._kept[_key(memory)]
            return Reserved(kept, True, ends_known)
        run = self._make_room(size)
        return None if run is None else Reserved(run, False, ends_known)

    def put_into(self, memory: Memory, reserved: Reserved) -> bool:
        """Puts a memory's table into the rows that were reserved for it; returns whether it was kept.

        The kept one stays for other lanes, unless this one will leave its own.
        """
        kept = None if reserved.is_built else self._find(memory)
        if kept is not None:
            self._copy(kept, reserved.run, memory)
            if reserved.ends_known:
                self._drop(_key(memory))
        found = reserved.is_built or kept is not None
        if memory.position:
            self._num_hits += found
            self._num_misses += not found
        return found

    def keep_copy(self, memory: Memory, reserved: Reserved) -> None:
        """Keeps a copy of a table that was built, if its lane leaves none and others may begin there."""
        if reserved.ends_known or memory.position == 0:
            return
        run = self._make_room(table_rows(memory.position, memory.adaptive))
        if run is not None:
            self._copy(reserved.run, run, memory)
            self.keep(memory, run)

    def keep(self, memory: Memory, run: Run) -> None:
        """Keeps the table of a memory, which is in the first rows of a run; those after it are given back."""
        key = _key(memory)
        if key in self._kept:
            self._drop(key)
        run = self._pool.shrink(run, table_rows(memory.position, memory.adaptive))
        self._kept[key] = memory, run

    def _find(self, memory: Memory) -> Run | None:
        """Returns the table of a memory, if it is kept; it is then the one used last."""
        key = _key(memory)
        found = self._kept.get(key)
        if found is None or not _same_text(found[0], memory):
            return None
        self._kept[key] = self._kept.pop(key)
        return found[1]

    def _make_room(self, size: int) -> Run | None:
        while (run := self._pool.take(size)) is None and self._kept:
            self._drop(next(iter(self._kept)))
        return run

    def _copy(self, source: Run, target: Run, memory: Memory) -> None:
        rows, size = self._pool.rows, table_rows(memory.position, memory.adaptive)
        rows[target.first : target.first + size] = rows[source.first : source.first + size]

    def _drop(self, key: _Key) -> None:
        self._pool.give_back(self._kept.pop(key)[1])


def _key(memory: Memory) -> _Key:
    return memory.adaptive, memory.position, memory.ids[-_KEY_CHARS:].tobytes()


def _same_text(one: Memory, other: Memory) -> bool:
    """Returns whether memories of one key have the same table: the weights are no part of it."""
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.learned, other.learned)
