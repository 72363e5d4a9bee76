"""The state of a session: its place in its text, and the characters that it can take back."""

from dataclasses import dataclass, field, replace

import numpy as np

from nextchar.engine.lane import LaneState
from nextchar.model.vocabulary import Ids

_NOTHING: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A place in a session's text: the characters before it, the random numbers drawn, the lane's state.

    `state` is None before any character. `after_return` says that the text ended in a carriage return, which
    was read as a newline: if the next text begins with a line feed, the two are one newline.
    """

    position: int = 0
    num_drawn: int = 0
    state: LaneState | None = None
    after_return: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SessionState:
    """All that a session goes on from; immutable, an operation returns the next one.

    `recent` are the ids after `anchor`, up to `here`: the session can go back to any place among them.
    `drawn_before`, as long as `recent`, counts the random numbers drawn before each of them.
    """

    seed: int
    here: Snapshot = field(default_factory=Snapshot)
    anchor: Snapshot = field(default_factory=Snapshot)
    recent: Ids = field(default_factory=lambda: _NOTHING)
    drawn_before: Ids = field(default_factory=lambda: _NOTHING)
    checkpoints: dict[str, Snapshot] = field(default_factory=dict)

    @property
    def max_rewind(self) -> int:
        """The number of characters that can be taken back."""
        return len(self.recent)

    def moved(self, here: Snapshot, ids: Ids, drawn_before: Ids) -> "SessionState":
        """Returns the state after more characters."""
        recent = np.concatenate([self.recent, ids])
        return replace(
            self, here=here, recent=recent, drawn_before=np.concatenate([self.drawn_before, drawn_before])
        )

    def ended(self, *, after_return: bool) -> "SessionState":
        """Returns the state with a note of how its text ended."""
        if after_return == self.here.after_return:
            return self
        return replace(self, here=replace(self.here, after_return=after_return))

    def anchored(self, anchor: Snapshot) -> "SessionState":
        """Returns the state with an anchor further on; what was before that is forgotten."""
        skip = anchor.position - self.anchor.position
        return replace(self, anchor=anchor, recent=self.recent[skip:], drawn_before=self.drawn_before[skip:])

    def rewound(self, num_chars: int, here: Snapshot) -> "SessionState":
        """Returns the state without the last characters."""
        left = len(self.recent) - num_chars
        return replace(self, here=here, recent=self.recent[:left], drawn_before=self.drawn_before[:left])

    def with_checkpoint(self, name: str) -> "SessionState":
        """Returns the state with a checkpoint here."""
        return replace(self, checkpoints={**self.checkpoints, name: self.here})

    def without_checkpoint(self, name: str) -> "SessionState":
        """Returns the state without a checkpoint."""
        return replace(self, checkpoints={k: v for k, v in self.checkpoints.items() if k != name})

    def rolled_back(self, name: str) -> "SessionState":
        """Returns the state at a checkpoint, from which nothing can be taken back."""
        here = self.checkpoints[name]
        return replace(self, here=here, anchor=here, recent=_NOTHING, drawn_before=_NOTHING)
