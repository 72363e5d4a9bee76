"""Represents a pattern over a model's characters as an automaton, in arrays."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.sampler import Flags, Indices

START = 0
_NEVER = 2**62


class Automaton:
    """Holds the transitions of an automaton whose states are numbers, the first 0.

    `next_states` [states, symbols] is -1 where no text of the pattern continues, so every state leads to an
    end. `distance` [states] is the least number of characters to one; 0 where the text may end. Immutable;
    safe to share between threads.
    """

    def __init__(self, next_states: NDArray[np.int32], distance: Indices) -> None:
        self.next_states = next_states
        # One entry more for state -1, so that looking it up needs no special case.
        self.distance: Indices = np.append(distance, _NEVER)
        self._onward: Indices = np.append(self.distance[next_states].min(axis=1), _NEVER)

    @classmethod
    def of(cls, next_states: NDArray[np.int32], accepting: Sequence[int]) -> Self:
        """Builds one from all transitions and the states where a text may end; cuts paths that never end."""
        num_states = len(next_states)
        distance = np.full(num_states + 1, _NEVER, dtype=np.int64)
        reached = np.array(accepting, dtype=np.int64)
        steps = 0
        while len(reached):
            distance[reached] = steps
            steps += 1
            leads_there = np.zeros(num_states + 1, dtype=np.bool_)
            leads_there[reached] = True
            before = leads_there[next_states].any(axis=1) & (distance[:num_states] == _NEVER)
            reached = np.flatnonzero(before)
        ends = distance[next_states] < _NEVER
        return cls(np.where(ends, next_states, np.int32(-1)), distance[:num_states])

    def allowed(self, states: Indices, num_left: Indices) -> Flags:
        """Returns which symbols may come next [rows, symbols], so that the text can still end in time.

        `num_left` [rows] is how many characters may still be drawn, this one included.
        """
        found: Flags = self.distance[self.next_states[states]] < num_left[:, None]
        return found

    def over(self, states: Indices, num_left: Indices) -> Flags:
        """Returns whether a text in these states [rows] can only end.

        That is, whether no continuation fits into `num_left` [rows] characters; where none are left, whether
        there would be no continuation if there were more.
        """
        found: Flags = self._onward[states] >= np.where(num_left > 0, num_left, _NEVER)
        return found
