"""The state of a session: its place in its text, and the characters that it can take back."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.lane import LaneState
from nextchar.model.vocabulary import Ids

Marks = NDArray[np.bool_]
_NOTHING: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A place in a session's text: the characters before it, the random numbers drawn, the lane's state.

    `state` is None before any character. `after_return` says that the text ended in a carriage return, which
    was read as a newline: if the next text begins with a line feed, the two are one newline. `memory` is what
    an adaptive session has learned up to here; None in any other.
    """

    position: int = 0
    num_drawn: int = 0
    state: LaneState | None = None
    after_return: bool = False
    memory: Memory | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SessionState:
    """All that a session goes on from; immutable, an operation returns the next one.

    `recent` are the ids after `anchor`, up to `here`: the session can go back to any place among them.
    `drawn_before`, as long as `recent`, counts the random numbers drawn before each of them. `learned`, as
    long, says which of them an adaptive session has learned; None is all.
    """

    seed: int
    here: Snapshot = field(default_factory=Snapshot)
    anchor: Snapshot = field(default_factory=Snapshot)
    recent: Ids = field(default_factory=lambda: _NOTHING)
    drawn_before: Ids = field(default_factory=lambda: _NOTHING)
    checkpoints: dict[str, Snapshot] = field(default_factory=dict)
    learned: Marks | None = None

    @classmethod
    def begun(cls, seed: int, memory: Memory | None = None) -> "SessionState":
        """Returns the state before any character; with a memory, it is adaptive."""
        start = Snapshot(memory=memory)
        return cls(seed, start, start)

    @property
    def max_rewind(self) -> int:
        """The number of characters that can be taken back."""
        return len(self.recent)

    def moved(
        self, here: Snapshot, ids: Ids, drawn_before: Ids, learned: Marks | None = None
    ) -> "SessionState":
        """Returns the state after more characters."""
        return replace(
            self,
            here=here,
            recent=np.concatenate([self.recent, ids]),
            drawn_before=np.concatenate([self.drawn_before, drawn_before]),
            learned=_joined(self.learned, len(self.recent), learned, len(ids)),
        )

    def ended(self, *, after_return: bool) -> "SessionState":
        """Returns the state with a note of how its text ended."""
        if after_return == self.here.after_return:
            return self
        return replace(self, here=replace(self.here, after_return=after_return))

    def anchored(self, anchor: Snapshot) -> "SessionState":
        """Returns the state with an anchor further on; what was before that is forgotten."""
        skip = anchor.position - self.anchor.position
        return replace(self._with_recent(slice(skip, None)), anchor=anchor)

    def _with_recent(self, kept: slice) -> "SessionState":
        learned = None if self.learned is None else self.learned[kept]
        recent, drawn_before = self.recent[kept], self.drawn_before[kept]
        return replace(self, recent=recent, drawn_before=drawn_before, learned=learned)

    def rewound(self, num_chars: int, here: Snapshot) -> "SessionState":
        """Returns the state without the last characters."""
        left = len(self.recent) - num_chars
        return replace(self._with_recent(slice(left)), here=here)

    def with_checkpoint(self, name: str) -> "SessionState":
        """Returns the state with a checkpoint here."""
        return replace(self, checkpoints={**self.checkpoints, name: self.here})

    def without_checkpoint(self, name: str) -> "SessionState":
        """Returns the state without a checkpoint."""
        return replace(self, checkpoints={k: v for k, v in self.checkpoints.items() if k != name})

    def rolled_back(self, name: str) -> "SessionState":
        """Returns the state at a checkpoint, from which nothing can be taken back."""
        here = self.checkpoints[name]
        return replace(self._with_recent(slice(0)), here=here, anchor=here)


def _joined(before: Marks | None, num_before: int, marks: Marks | None, num_marks: int) -> Marks | None:
    """Returns the marks of two runs of characters, in which None stands for all."""
    if before is None and marks is None:
        return None
    first = np.ones(num_before, dtype=np.bool_) if before is None else before
    return np.concatenate([first, np.ones(num_marks, dtype=np.bool_) if marks is None else marks])
