"""Keeps the states of pending branches until the last of them is taken."""

from collections.abc import Mapping

import numpy as np

from nextchar.model.graph import StateArray
from nextchar.model.step_runner import StepRunner
from nextchar.model.vocabulary import Ids

INITIAL = 0  # the slot of the state before any character
_FIRST_CAPACITY = 64


class StatePool:
    """Holds states in numbered slots, shared by the running jobs.

    Memory is taken when a slot is first used and reused from then on: in steady work nothing is allocated.
    As many slots are in use as there are states that branches are pending on.
    """

    def __init__(self, runner: StepRunner) -> None:
        self._runner = runner
        self._states: dict[str, StateArray] = runner.make_states(_FIRST_CAPACITY)
        self._uses = [1]
        self._free: list[int] = []

    def keep(self, rows: Ids, uses: list[int]) -> list[int]:
        """Keeps the states of rows, each for a number of uses; returns their slots."""
        slots = [self._slot(count) for count in uses]
        index = np.array(slots)
        for name, state in self._runner.read_state(rows).items():
            self._states[name][index] = state
        return slots

    def put(self, arrays: Mapping[str, StateArray]) -> int:
        """Keeps one state from elsewhere, for one use; returns its slot."""
        slot = self._slot(1)
        for name, kept in self._states.items():
            kept[slot] = arrays[name]
        return slot

    def restore(self, rows: Ids, slots: list[int]) -> None:
        """Writes the states of slots to rows, and counts one use of each."""
        index = np.array(slots)
        self._runner.write_state(rows, {name: kept[index] for name, kept in self._states.items()})
        for slot in slots:
            self.release(slot)

    def release(self, slot: int) -> None:
        """Counts one use of a slot; after its last the slot is free."""
        if slot == INITIAL:
            return
        self._uses[slot] -= 1
        if self._uses[slot] == 0:
            self._free.append(slot)

    @property
    def num_kept(self) -> int:
        """The number of slots in use, without the initial state's."""
        return len(self._uses) - 1 - len(self._free)

    def _slot(self, uses: int) -> int:
        if self._free:
            slot = self._free.pop()
            self._uses[slot] = uses
            return slot
        self._uses.append(uses)
        capacity = len(next(iter(self._states.values())))
        if len(self._uses) > capacity:
            self._grow(4 * capacity)
        return len(self._uses) - 1

    def _grow(self, capacity: int) -> None:
        """Reserves address space for more slots; the system gives memory to those that are touched."""
        for name, kept in self._states.items():
            larger = np.empty((capacity, kept.shape[1]), dtype=kept.dtype)
            larger[: len(kept)] = kept
            self._states[name] = larger
