"""Defines what is watched: something that gives bytes as they come."""

from dataclasses import dataclass
from typing import Protocol

CHUNK_BYTES = 8192  # between two looks at a file's name; they are scored in a few seconds


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a text; none if there are none now. After the last ones, another text begins."""

    data: bytes
    is_last: bool = False


NOTHING_YET, THE_END = Piece(b""), Piece(b"", is_last=True)


class WatchedSource(Protocol):
    """A text that grows."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever follow."""
        ...

    @property
    def num_behind_bytes(self) -> int:
        """How many bytes are there and were not read yet, as far as that is known."""
        ...

    def read(self) -> Piece:
        """Returns what comes next, without waiting for it."""
        ...

    def wait(self, seconds: float) -> None:
        """Returns when there may be more, or after so many seconds."""
        ...

    def close(self) -> None:
        """Closes what is open."""
        ...
