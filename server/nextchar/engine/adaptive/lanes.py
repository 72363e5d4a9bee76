"""Holds what the adaptive lanes of an engine remember, and mixes and learns for some of them at a time."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.contexts import (
    NEVER,
    POSITION_SHIFT,
    Entries,
    Hashes,
    build_table,
    multipliers,
    next_resize,
    table_bits,
    tags,
)
from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.adaptive.mixture import (
    NUM_ROWS,
    NUM_WEIGHTS,
    Floats,
    Indices,
    Mixed,
    counted,
    learned,
    mixed,
)
from nextchar.engine.adaptive.options import MAX_ORDER, MAX_WINDOW, NUM_ORDERS, Adaptive
from nextchar.engine.adaptive.tables import TablePool

Flags = NDArray[np.bool_]

MAX_SYMBOLS = 1 << 16


class AdaptiveLanes:
    """Holds the memories of lanes in places 0 … `max_lanes` - 1: `open`, then `mix` and `learn` by turns, `close`.

    What a place predicts depends on the text read there and on nothing else. An open place takes 3 bytes per
    character of its window, its weights, and a table of 64 to 128 bytes per remembered character and order,
    whatever the number of symbols.
    """

    def __init__(self, max_lanes: int, num_symbols: int) -> None:
        assert num_symbols <= MAX_SYMBOLS
        self._num_symbols = num_symbols
        self._pool = TablePool()
        self._free = list(range(max_lanes))[::-1]
        self._adaptive: list[Adaptive | None] = [None] * max_lanes
        # Not touched, these take no memory.
        self._ids = np.zeros((max_lanes, MAX_WINDOW), dtype=np.uint16)
        self._learned = np.zeros((max_lanes, MAX_WINDOW), dtype=np.bool_)
        self._start: Indices = np.zeros(max_lanes, dtype=np.int64)  # position of the first symbol remembered
        self._bits = np.zeros(max_lanes, dtype=np.int64)
        self._position: Indices = np.zeros(max_lanes, dtype=np.int64)
        self._event_at: Indices = np.full(max_lanes, NEVER, dtype=np.int64)  # the window or the table moves
        self._floors: Entries = np.zeros((max_lanes, NUM_ORDERS), dtype=np.int64)
        self._shift: Hashes = np.zeros((max_lanes, 1), dtype=np.uint64)
        self._first_rows: Indices = np.zeros((max_lanes, NUM_ORDERS), dtype=np.int64)
        self._factors: Hashes = np.zeros((max_lanes, NUM_ORDERS, MAX_ORDER), dtype=np.uint64)
        self._recent: Hashes = np.zeros((max_lanes, MAX_ORDER), dtype=np.uint64)  # last symbols, last first
        self._weights: Floats = np.zeros((max_lanes, NUM_ROWS, NUM_WEIGHTS), dtype=np.float32)
        self._asked: _Asked | None = None

    @property
    def num_bytes(self) -> int:
        """The bytes of all tables."""
        return self._pool.num_bytes

    def open(self, memory: Memory) -> int:
        """Opens a memory and builds its table; returns its place."""
        place, adaptive, held = self._free.pop(), memory.adaptive, len(memory.ids)
        self._adaptive[place] = adaptive
        self._position[place], self._start[place] = memory.position, memory.first
        self._ids[place, :held], self._learned[place, :held] = memory.ids, memory.learned
        self._factors[place] = multipliers(adaptive.orders)
        last = memory.ids[: -MAX_ORDER - 1 : -1]
        self._recent[place] = 0
        self._recent[place, : len(last)] = last
        self._weights[place] = memory.weights
        self._build(place)
        self._set_floors(place)
        return place

    def close(self, place: int) -> None:
        """Frees a place."""
        self._pool.free(int(self._first_rows[place, 0]), NUM_ORDERS << int(self._bits[place]))
        self._adaptive[place] = None
        self._free.append(place)

    def memory(self, place: int) -> Memory:
        """Returns what a place remembers now."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        held = position - int(self._start[place])
        weights = self._weights[place].astype(np.int16)
        ids, learned_ids = self._ids[place, :held].copy(), self._learned[place, :held].copy()
        return Memory(adaptive, position, ids, learned_ids, weights)

    def mix(self, places: Indices, network: Floats) -> Floats:
        """Returns the mixed log-probabilities [n, symbols] at n places, from the network's."""
        recent = self._recent[places]
        hashes = np.add.reduce(recent[:, None, :] * self._factors[places], axis=2)
        rows = self._first_rows[places] + (hashes >> self._shift[places]).view(np.int64)
        entries, tag = self._pool.rows[rows], tags(hashes)
        seen = counted(entries, tag, self._floors[places], self._num_symbols)
        mix = mixed(seen, network, recent[:, 0].view(np.int64), self._weights, places)
        self._asked = _Asked(places, mix, rows, entries, tag)
        return mix.logprobs

    def learn(self, symbols: Indices, *, counts: Flags, reads: Flags) -> None:
        """Reads the symbols [n] that came at the places last mixed; where not `counts` [n], as context only.

        Where not `reads` [n] no symbol has come.
        """
        asked = self._asked
        assert asked is not None
        self._asked = None
        if not reads.all():
            asked, symbols, counts = asked.only(np.flatnonzero(reads)), symbols[reads], counts[reads]
        places, position = asked.places, self._position[asked.places]
        if counts.all():
            self._count(asked, symbols, position)
        elif counts.any():
            self._count(asked.only(np.flatnonzero(counts)), symbols[counts], position[counts])
        held = position - self._start[places]
        self._ids[places, held] = symbols
        self._learned[places, held] = counts
        recent = self._recent[places]
        recent[:, 1:] = recent[:, :-1].copy()
        recent[:, 0] = symbols
        self._recent[places] = recent
        position += 1
        self._position[places] = position
        for place in places[position == self._event_at[places]].tolist():
            self._move(place)

    def _count(self, asked: "_Asked", symbols: Indices, position: Indices) -> None:
        """Moves the weights and makes the new entries, the newest first in their rows."""
        learned(asked.mix, symbols, position, self._weights, asked.places)
        entries = np.empty_like(asked.entries)
        entries[:, :, 1:] = asked.entries[:, :, :-1]
        entries[:, :, 0] = asked.tags | (symbols | position << POSITION_SHIFT)[:, None]
        self._pool.rows[asked.rows] = entries

    def _move(self, place: int) -> None:
        """Lets a place forget a block of its text, or gives it a larger table, where its position says so."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        start, old = adaptive.window_start(position), int(self._start[place])
        held = position - start
        if start > old:
            self._ids[place, :held] = self._ids[place, start - old : position - old].copy()
            self._learned[place, :held] = self._learned[place, start - old : position - old].copy()
            self._start[place] = start
        if table_bits(position, adaptive) != self._bits[place]:
            self._pool.free(int(self._first_rows[place, 0]), NUM_ORDERS << int(self._bits[place]))
            self._build(place)
        self._set_floors(place)

    def _build(self, place: int) -> None:
        """Builds a place's table from its text."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        start = int(self._start[place])
        bits, held = table_bits(position, adaptive), position - start
        table = build_table(
            self._ids[place, :held], self._learned[place, :held], start, adaptive.orders, bits
        )
        self._bits[place], self._shift[place] = bits, 64 - bits
        self._first_rows[place] = self._pool.put(table) + (np.arange(NUM_ORDERS) << bits)

    def _set_floors(self, place: int) -> None:
        """Sets from where entries count, and at which position that or the table changes."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        self._floors[place] = NEVER
        first = adaptive.window_start(position) + np.array(adaptive.orders)
        self._floors[place, : len(first)] = first << POSITION_SHIFT
        resize = next_resize(int(self._bits[place]), adaptive)
        self._event_at[place] = min(resize, adaptive.next_move(position))


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """The places last mixed, [n] each, and the rows of their tables, [n, orders]."""

    places: Indices
    mix: Mixed
    rows: Indices
    entries: Entries
    tags: Entries

    def only(self, some: Indices) -> "_Asked":
        mix = self.mix
        chosen = Mixed(*(getattr(mix, field.name)[some] for field in fields(mix)))
        return _Asked(self.places[some], chosen, self.rows[some], self.entries[some], self.tags[some])
