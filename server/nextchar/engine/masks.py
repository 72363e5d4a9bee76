"""Masks the symbols that a row must not draw: outside its pattern, or an end that comes too early."""

import numpy as np

from nextchar.engine.automaton import START, Automaton
from nextchar.engine.lane import Sampling
from nextchar.engine.sampler import Doubles, Flags, Indices


class Masks:
    """Holds per row the pattern, its state in it, and how many characters may and must still be drawn.

    A row is touched where its lane joins, moves or draws. `over` [rows] is set where the pattern's text can
    only end.
    """

    def __init__(self, num_rows: int, num_symbols: int, end_id: int | None) -> None:
        self._end_id = end_id
        self._automata: list[Automaton | None] = [None] * num_rows
        self._states: Indices = np.zeros(num_rows, dtype=np.int64)
        self._num_left: Indices = np.zeros(num_rows, dtype=np.int64)
        self._num_before_end: Indices = np.zeros(num_rows, dtype=np.int64)
        self._ends: Flags = np.zeros((num_rows, num_symbols), dtype=np.bool_)
        self.over: Flags = np.zeros(num_rows, dtype=np.bool_)
        # How many active rows have a pattern, or a least length, so that a draw skips what none needs.
        self.num_patterns = self._num_delayed = 0

    def join(self, row: int, sampling: Sampling) -> None:
        """Starts a row for a lane that has drawn nothing yet."""
        self._automata[row], self._states[row] = sampling.automaton, START
        self.num_patterns += sampling.automaton is not None
        self._num_delayed += sampling.min_chars > 0
        self._num_left[row], self._num_before_end[row] = sampling.max_chars, sampling.min_chars
        self._ends[row] = False
        if sampling.min_chars:
            self._ends[row, list(sampling.end_ids)] = True
            if self._end_id is not None:
                self._ends[row, self._end_id] = True
        self.over[row] = False

    def leave(self, sampling: Sampling) -> None:
        """Notes that a lane's row is no longer active."""
        self.num_patterns -= sampling.automaton is not None
        self._num_delayed -= sampling.min_chars > 0

    def move(self, source: int, target: int) -> None:
        """Copies one row over another."""
        self._automata[target] = self._automata[source]
        for array in (self._states, self._num_left, self._num_before_end, self._ends, self.over):
            array[target] = array[source]

    def forbid(self, scores: Doubles, rows: Indices) -> None:
        """Sets scores [rows, symbols] of symbols that must not be drawn now to minus infinity, in place."""
        if self._num_delayed:
            early = np.flatnonzero(self._num_before_end[rows] > 0)
            scores[early] = np.where(self._ends[rows[early]], -np.inf, scores[early])
        for automaton, k in self._by_automaton(rows):
            states = self._states[rows[k]]
            allowed = automaton.allowed(states, self._num_left[rows[k]])
            if self._end_id is not None:
                allowed[:, self._end_id] = automaton.distance[states] == 0
            scores[k] = np.where(allowed, scores[k], -np.inf)

    def advance(self, rows: Indices, drawn: Indices) -> None:
        """Advances rows by the symbols that they have drawn."""
        if self._num_delayed:
            self._num_before_end[rows] -= 1
        if self.num_patterns:
            self._num_left[rows] -= 1
        for automaton, k in self._by_automaton(rows):
            states = automaton.next_states[self._states[rows[k]], drawn[k]].astype(np.int64)
            self._states[rows[k]] = states
            self.over[rows[k]] = automaton.over(states, self._num_left[rows[k]])

    def _by_automaton(self, rows: Indices) -> list[tuple[Automaton, Indices]]:
        """Returns each automaton of some rows, and which of them (indices into `rows`) have it."""
        if not self.num_patterns:
            return []
        found: dict[int, tuple[Automaton, list[int]]] = {}
        for k, row in enumerate(rows.tolist()):
            automaton = self._automata[row]
            if automaton is not None:
                found.setdefault(id(automaton), (automaton, []))[1].append(k)
        return [(automaton, np.array(k)) for automaton, k in found.values()]
