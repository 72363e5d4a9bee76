"""Defines what a lane remembers of the text that it has read, as an immutable snapshot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.mixture import first_weights
from nextchar.engine.adaptive.options import Adaptive


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Holds all that decides how an adaptive lane goes on; nobody changes the arrays.

    After `position` symbols, `ids` uint16 are those from `adaptive.window_start(position)` on, and `learned`
    is whether each counts (the others are context only). `weights` [NUM_ROWS, NUM_WEIGHTS] int16 are those of
    the mixture. The tables are no part of it: they follow from the text.
    """

    adaptive: Adaptive
    position: int
    ids: NDArray[np.uint16]
    learned: NDArray[np.bool_]
    weights: NDArray[np.int16]

    @property
    def first(self) -> int:
        """The position of the first symbol that is remembered."""
        return self.position - len(self.ids)

    @property
    def num_bytes(self) -> int:
        """The bytes of its arrays."""
        return self.ids.nbytes + self.learned.nbytes + self.weights.nbytes


def empty_memory(adaptive: Adaptive) -> Memory:
    """Returns the memory of a lane that has read nothing."""
    return Memory(adaptive, 0, np.empty(0, dtype=np.uint16), np.empty(0, dtype=np.bool_), first_weights())
