"""States of branches that wait, kept until the last of them is taken up."""

from collections.abc import Mapping

import numpy as np

from nextchar.model.graph import StateArray
from nextchar.model.step_runner import StepRunner
from nextchar.model.vocabulary import Ids

INITIAL = 0  # the slot of the state before any character
_FIRST_ROOM = 64


class StatePool:
    """Numbered slots for states, shared by the jobs in work.

    Memory is taken when a slot is first used and used again from then on: in steady work nothing is
    allocated. As many slots are in use as there are states that something waits for.
    """

    def __init__(self, runner: StepRunner) -> None:
        self._runner = runner
        self._states: dict[str, StateArray] = runner.make_states(_FIRST_ROOM)
        self._uses = [1]
        self._free: list[int] = []

    def keep(self, rows: Ids, uses: list[int]) -> list[int]:
        """Keep the states of rows, each for so many takers; their slots."""
        slots = [self._slot(count) for count in uses]
        index = np.array(slots)
        for name, state in self._runner.read_state(rows).items():
            self._states[name][index] = state
        return slots

    def put(self, arrays: Mapping[str, StateArray]) -> int:
        """Keep one state from elsewhere, for one taker; its slot."""
        slot = self._slot(1)
        for name, kept in self._states.items():
            kept[slot] = arrays[name]
        return slot

    def restore(self, rows: Ids, slots: list[int]) -> None:
        """Give rows the states of slots, each for one of its takers."""
        index = np.array(slots)
        self._runner.write_state(rows, {name: kept[index] for name, kept in self._states.items()})
        for slot in slots:
            self.release(slot)

    def release(self, slot: int) -> None:
        """One taker less; after the last the slot is free."""
        if slot == INITIAL:
            return
        self._uses[slot] -= 1
        if self._uses[slot] == 0:
            self._free.append(slot)

    @property
    def num_kept(self) -> int:
        """Slots in use, the initial state's aside."""
        return len(self._uses) - 1 - len(self._free)

    def _slot(self, uses: int) -> int:
        if self._free:
            slot = self._free.pop()
            self._uses[slot] = uses
            return slot
        self._uses.append(uses)
        room = len(next(iter(self._states.values())))
        if len(self._uses) > room:
            self._grow(4 * room)
        return len(self._uses) - 1

    def _grow(self, room: int) -> None:
        """Address space for more slots; the system gives memory to those that are touched."""
        for name, kept in self._states.items():
            larger = np.empty((room, kept.shape[1]), dtype=kept.dtype)
            larger[: len(kept)] = kept
            self._states[name] = larger
