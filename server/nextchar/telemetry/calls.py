"""Notes what becomes of a client's call, so that each is counted, also one that never has a request context.

A call that is refused early, or that only asks about the server, is counted when it has ended. A stream holds
many requests: each is counted by itself, and what ends the stream between two of them is counted once more.
"""

from contextvars import ContextVar
from dataclasses import dataclass

_MARK = "was_counted"


@dataclass(slots=True)
class Call:
    """Holds how many requests of a call were observed, and the outcome that no request has."""

    num_requests: int = 0
    outcome: str | None = None

    @property
    def uncounted(self) -> str | None:
        """The outcome to count at the end of the call; None if its requests were all there was.

        A call without any outcome was cancelled: its client left, or gRPC ended it, before it was read.
        """
        return self.outcome or (None if self.num_requests else "cancelled")

    def succeed(self) -> None:
        """Notes that the call was answered."""
        if not self.num_requests:
            self.outcome = "success"


# The call whose task this is; None for calls that are not counted.
CALL: ContextVar[Call | None] = ContextVar("call", default=None)


def begin_call() -> Call:
    """Begins a call in this task."""
    call = Call()
    CALL.set(call)
    return call


def mark_counted(error: BaseException) -> None:
    """Notes that a request which ended with this error has been counted."""
    vars(error)[_MARK] = True


def was_counted(error: BaseException) -> bool:
    """Returns whether a request which ended with this error has been counted."""
    return _MARK in vars(error)
