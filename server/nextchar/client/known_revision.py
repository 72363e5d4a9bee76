"""Remembers what a client has heard of where its session is."""

from collections.abc import Generator
from contextlib import contextmanager

from nextchar.client.operations import A, Operation
from nextchar.errors import NextcharError, OutcomeUnknown, SessionMoved

_MAX_TRIES = 3  # of a call that the server refuses because other clients move the session


class KnownRevision:
    """The revision of a session that its client last heard, by which its calls are sent.

    A call that moves the session is sent with that revision, so that it cannot be done twice. If the server
    says that the session has moved, there are two cases. If all earlier calls have definite outcomes, another
    client moved it, and the call can be sent again. If the outcome of one is unknown, it was most likely that
    one, and only the user can decide: the same text sent again would be there twice.
    """

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._doubted: int | None = None  # the revision that a call without a definite outcome was sent with

    def heard(self, revision: int | None) -> None:
        """Takes note of the revision that an answer names, unless a later one is known."""
        self.revision = max(self.revision, revision or 0)

    def learned(self, revision: int) -> None:
        """Takes note of where the session is after all, also if another one has its id now."""
        self.revision, self._doubted = revision, None

    @contextmanager
    def sending(self, operation: Operation[A], attempt: int) -> Generator[Operation[A]]:
        """Yields a call as it is to be sent, and remembers if it ends without a definite outcome."""
        guarded = self._guarded(operation, attempt)
        before, self._doubted = self._doubted, guarded.fields.get("if_revision")
        try:
            yield guarded
        except OutcomeUnknown as error:
            if isinstance(error.__cause__, SessionMoved):
                self._doubted = None  # it cannot be done any more
            raise
        except (NextcharError, GeneratorExit):  # not done, or left by the user, who does not want it again
            self._doubted = before
            raise
        self._doubted = None

    def _guarded(self, operation: Operation[A], attempt: int) -> Operation[A]:
        """Returns the call with its revision; without one if others are faster every time.

        The server then does it in its turn, and it is not sent again if its answer is lost.
        """
        if "if_revision" in operation.fields or attempt > _MAX_TRIES:
            return operation
        return operation.at(self.revision)

    def is_doubted(self, sent: Operation[A]) -> bool:
        """Returns whether an earlier call from the same revision may be what moved the session."""
        return self._doubted is not None and self._doubted == sent.fields.get("if_revision")
