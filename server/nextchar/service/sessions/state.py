"""What a session is: where it stands in its text, and how it got there lately."""

from dataclasses import dataclass, field, replace

import numpy as np

from nextchar.engine.lane import LaneState
from nextchar.model.vocabulary import Ids

_NOTHING: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A place in a session's text: characters before it, random numbers drawn so far, the lane's state.

    `state` is None before any character.
    """

    position: int = 0
    num_drawn: int = 0
    state: LaneState | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SessionState:
    """All that a session goes on from. Immutable: an operation makes the next one.

    `recent` are the ids after `anchor`, up to `here`: any place among them can be gone back to.
    `drawn_before` int64, as long as `recent`: random numbers drawn before each of them.
    """

    seed: int
    here: Snapshot = field(default_factory=Snapshot)
    anchor: Snapshot = field(default_factory=Snapshot)
    recent: Ids = field(default_factory=lambda: _NOTHING)
    drawn_before: Ids = field(default_factory=lambda: _NOTHING)
    checkpoints: dict[str, Snapshot] = field(default_factory=dict)

    @property
    def max_rewind(self) -> int:
        """How many characters can be taken back."""
        return len(self.recent)

    def moved(self, here: Snapshot, ids: Ids, drawn_before: Ids) -> "SessionState":
        """After more characters."""
        recent = np.concatenate([self.recent, ids])
        return replace(
            self, here=here, recent=recent, drawn_before=np.concatenate([self.drawn_before, drawn_before])
        )

    def anchored(self, anchor: Snapshot) -> "SessionState":
        """With an anchor further on, and what was before it forgotten."""
        skip = anchor.position - self.anchor.position
        return replace(self, anchor=anchor, recent=self.recent[skip:], drawn_before=self.drawn_before[skip:])

    def rewound(self, num_chars: int, here: Snapshot) -> "SessionState":
        """Without the last characters."""
        left = len(self.recent) - num_chars
        return replace(self, here=here, recent=self.recent[:left], drawn_before=self.drawn_before[:left])

    def with_checkpoint(self, name: str) -> "SessionState":
        return replace(self, checkpoints={**self.checkpoints, name: self.here})

    def rolled_back(self, name: str) -> "SessionState":
        """Where a checkpoint was made; what is before it cannot be gone back to."""
        mark = self.checkpoints[name]
        return replace(self, here=mark, anchor=mark, recent=_NOTHING, drawn_before=_NOTHING)
