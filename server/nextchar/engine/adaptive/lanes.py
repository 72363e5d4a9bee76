"""Holds what the adaptive lanes of an engine remember, and mixes and learns for some of them at a time."""

import numpy as np

from nextchar.engine.adaptive.blocks import MAX_STEPS, add_entries, grow_rows, windows
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
from nextchar.engine.adaptive.hot_tables import HotTables, HotUse, Reserved
from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.adaptive.mixture import NUM_ROWS, Flags, Indices
from nextchar.engine.adaptive.options import MAX_ORDER, MAX_WINDOW, NUM_ORDERS, Adaptive
from nextchar.engine.adaptive.step import Step
from nextchar.engine.adaptive.step_mixer import NUM_WEIGHTS
from nextchar.engine.adaptive.tables import ROW_BYTES, Run, TablePool
from nextchar.engine.adaptive.workspaces import Workspaces
from nextchar.model.graph import Floats
from nextchar.model.step_runner import fitting_steps

MAX_SYMBOLS = 1 << 16
_BLOCK_NUMBERS = 1 << 14  # symbols times lanes times steps of a block: its arrays stay in a cache
_SHIFT = np.array(POSITION_SHIFT)


class AdaptiveLanes:
    """Holds memories of lanes, each in a place: `open`, then `mix` and `learn` by turns, then `close`.

    What a place predicts depends on the text read there and on nothing else. An open place takes 3 bytes per
    character of its window, its weights, and a table of 16 to 32 bytes per remembered character and order,
    whatever the number of symbols.
    """

    def __init__(self, max_lanes: int, num_symbols: int, max_table_bytes: int) -> None:
        assert num_symbols <= MAX_SYMBOLS
        self._pool = TablePool(max_table_bytes)
        self._hot = HotTables(self._pool)
        self._runs: dict[int, Run] = {}
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
        self._recent: Hashes = np.zeros((max_lanes, MAX_ORDER), dtype=np.uint64)  # last symbols
        self._weights: Floats = np.zeros((max_lanes * NUM_ROWS, NUM_WEIGHTS), dtype=np.float32)
        self._workspaces = Workspaces(num_symbols)
        self._step: Step | None = None  # the last

    @property
    def num_bytes(self) -> int:
        """The bytes of the tables of all places."""
        return sum(NUM_ORDERS << int(self._bits[place]) for place in tuple(self._runs)) * ROW_BYTES

    @property
    def hot(self) -> HotUse:
        """The use of tables that are kept beside those of the places."""
        return self._hot.use

    def reserve(self, memory: Memory, num_steps: int, *, ends_known: bool) -> Reserved | None:
        """Takes rows for the largest table of a memory within some steps; None if there are too few.

        They are given back when their place is closed: with the memory of then, where `ends_known`.
        """
        return self._hot.reserve(memory, num_steps, ends_known=ends_known)

    def open(self, memory: Memory, reserved: Reserved) -> int:
        """Opens a memory in rows that were reserved for it, and builds its table unless it was kept.

        Returns its place.
        """
        place, adaptive, held = self._free.pop(), memory.adaptive, len(memory.ids)
        self._adaptive[place] = adaptive
        self._position[place], self._start[place] = memory.position, memory.first
        self._ids[place, :held], self._learned[place, :held] = memory.ids, memory.learned
        self._factors[place] = multipliers(adaptive.orders)
        last = memory.ids[-MAX_ORDER:]
        self._recent[place] = 0
        self._recent[place, MAX_ORDER - len(last) :] = last
        self._weights[place * NUM_ROWS : (place + 1) * NUM_ROWS] = memory.weights
        self._runs[place] = reserved.run
        self._set_bits(place)
        if not self._hot.put_into(memory, reserved):
            self._build(place)
            self._hot.keep_copy(memory, reserved)
        self._set_floors(place)
        self._step = None
        return place

    def close(self, place: int, end: Memory | None) -> None:
        """Frees a place, and keeps its table if a lane may begin with the memory `end`, which is its own."""
        run = self._runs.pop(place)
        if end is not None and end.position == self._position[place]:
            self._hot.keep(end, run)
        else:
            self._pool.give_back(run)
        self._adaptive[place] = None
        self._step = None
        self._free.append(place)

    def memory(self, place: int) -> Memory:
        """Returns what a place remembers now."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        held = position - int(self._start[place])
        weights = self._weights[place * NUM_ROWS : (place + 1) * NUM_ROWS].astype(np.int16)
        ids, learned_ids = self._ids[place, :held].copy(), self._learned[place, :held].copy()
        return Memory(adaptive, position, ids, learned_ids, weights)

    def mix(self, places: Indices, network: Floats) -> Floats:
        """Returns the mixed log-probabilities [n, symbols] at n places, from the network's."""
        step = self._step_of(places)
        recent = self._recent[places]
        work = step.workspace = self._workspaces.of(1, len(places))
        step.recent = recent
        step.rows, step.tags = self._contexts(step, recent[:, :, None])
        step.held = self._pool.rows.take(step.rows, 0, None, "clip")
        last = recent[:, -1].view(np.int64)
        work.fill(step.held, step.tags[..., None], step.floors, network, last, step.first_weights)
        work.mix(0, self._weights)
        return work.distribution(0)

    def learn(self, symbols: Indices, *, counts: Flags, reads: Flags) -> None:
        """Reads the symbols [n] that came at the places last mixed; where not `counts` [n], as context only.

        Where not `reads` [n] no symbol has come.
        """
        step = self._step
        assert step is not None
        assert step.workspace is not None
        places, position, recent = step.places, self._position[step.places], step.recent
        all_read = bool(reads.all())
        counts = counts & reads
        counted = None if counts.all() else counts
        step.workspace.aim(symbols, position)
        step.workspace.learn(0, self._weights, counted)
        rows, held, made = step.rows, step.held, step.tags | symbols | position << _SHIFT
        if counted is not None:
            rows, held, made = rows[:, :, counts], held[:, :, counts], made[:, :, counts]
        add_entries(self._pool.rows, rows, held, made)
        at = position - self._start[places]
        self._ids[places, at] = symbols
        self._learned[places, at] = counts
        moved = np.empty_like(recent)
        moved[:, :-1], moved[:, -1] = recent[:, 1:], symbols
        # What was written beyond the text of places that read nothing is no part of it.
        self._recent[places] = moved if all_read else np.where(reads[:, None], moved, recent)
        self._advance(step, position + reads, reads, 1)

    def read(self, places: Indices, network: Floats, symbols: Indices) -> Floats:
        """Reads given symbols [steps, n] at n places; returns what each was worth, [steps, n].

        `network` [steps, n, symbols] are its log-probabilities. The bits are those of `mix` and `learn`.
        """
        worth, done = np.empty(symbols.shape, dtype=np.float32), 0
        fitting = max(1, _BLOCK_NUMBERS // network[0].size)
        while done < len(symbols):
            step = self._step_of(places)
            last = done + fitting_steps(min(MAX_STEPS, fitting, step.until_event, len(symbols) - done))
            worth[done:last] = self._read_block(step, network[done:last], symbols[done:last])
            done = last
        return worth

    def _read_block(self, step: Step, network: Floats, symbols: Indices) -> Floats:
        """Does what `read` does, for so few steps that no window and no table moves before their end."""
        (steps, n), places = symbols.shape, step.places
        text = np.concatenate([self._recent[places], symbols.T.view(np.uint64)], axis=1)
        position = self._position[places]
        positions = position + np.arange(steps)[:, None]
        rows, tags_found = self._contexts(step, windows(text, steps))
        held = self._pool.rows.take(rows, 0, None, "clip")
        made = tags_found | symbols | positions << _SHIFT
        grow_rows(rows, held, made)
        last = text[:, MAX_ORDER - 1 : -1].T.reshape(-1).view(np.int64)
        work = self._workspaces.of(steps, n)
        by_row = network.reshape(steps * n, -1)
        work.fill(held, tags_found[..., None], step.floors, by_row, last, step.first_weights)
        work.aim(symbols.reshape(-1), positions.reshape(-1))
        for t in range(steps):
            work.mix(t, self._weights)
            work.learn(t, self._weights, None)
        add_entries(self._pool.rows, rows, held, made)
        at = positions - self._start[places]
        self._ids[places, at], self._learned[places, at] = symbols, True
        self._recent[places] = text[:, -MAX_ORDER:]
        self._advance(step, position + steps, None, steps)
        return work.worth(symbols.reshape(-1)).reshape(steps, n)

    def _advance(self, step: Step, position: Indices, reads: Flags | None, num_steps: int) -> None:
        """Sets the positions [n] of a step's places, and moves windows and tables where they say so."""
        self._position[step.places] = position
        step.until_event -= num_steps
        if step.until_event > 0:
            return
        self._step = None
        moving = position == self._event_at[step.places]
        for place in step.places[moving if reads is None else moving & reads].tolist():
            self._move(place)

    def _contexts(self, step: Step, before: Hashes) -> tuple[Indices, Entries]:
        """Returns rows and tags [orders, steps, n] of contexts, from symbols [n, MAX_ORDER, steps]."""
        hashes = np.matmul(step.factors, before)[:, :, 0].swapaxes(1, 2)
        rows = (hashes >> step.shift).view(np.int64)
        rows += step.first_rows
        return rows, tags(hashes)

    def _step_of(self, places: Indices) -> Step:
        """Returns the arrays of a step at places: the last one's, if it was there and nothing has moved."""
        step = self._step
        if step is not None and step.name == places.tobytes():
            return step
        self._step = Step(
            places.tobytes(),
            places,
            np.ascontiguousarray(self._factors[places].transpose(1, 0, 2))[:, :, None],
            self._shift[places, 0],
            np.ascontiguousarray(self._first_rows[places].T)[:, None],
            np.ascontiguousarray(self._floors[places].T)[:, None, :, None],
            places * NUM_ROWS,
            int((self._event_at[places] - self._position[places]).min()),
        )
        return self._step

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
            self._set_bits(place)
            self._build(place)
        self._set_floors(place)

    def _set_bits(self, place: int) -> None:
        """Sets where the rows of a place's table are."""
        adaptive = self._adaptive[place]
        assert adaptive is not None
        bits = table_bits(int(self._position[place]), adaptive)
        self._bits[place], self._shift[place] = bits, 64 - bits
        self._first_rows[place] = self._runs[place].first + (np.arange(NUM_ORDERS) << bits)

    def _build(self, place: int) -> None:
        """Builds a place's table from its text."""
        adaptive, start = self._adaptive[place], int(self._start[place])
        assert adaptive is not None
        held = int(self._position[place]) - start
        table = build_table(
            self._ids[place, :held],
            self._learned[place, :held],
            start,
            adaptive.orders,
            int(self._bits[place]),
        )
        first = self._runs[place].first
        self._pool.rows[first : first + len(table)] = table

    def _set_floors(self, place: int) -> None:
        """Sets from where entries count, and at which position that or the table changes."""
        adaptive, position = self._adaptive[place], int(self._position[place])
        assert adaptive is not None
        self._floors[place] = NEVER
        first = adaptive.window_start(position) + np.array(adaptive.orders)
        self._floors[place, : len(first)] = first << POSITION_SHIFT
        resize = next_resize(int(self._bits[place]), adaptive)
        self._event_at[place] = min(resize, adaptive.next_move(position))
