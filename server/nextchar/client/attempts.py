"""Counts the attempts of one call, and remembers whether one of them may have been done."""

from typing import Any

from nextchar.client.operations import Operation
from nextchar.client.retries import Retries
from nextchar.client.wire_errors import may_be_done
from nextchar.errors import NextcharError, OutcomeUnknown, SessionEvicted, SessionExpired, SessionNotFound

GONE = (SessionNotFound, SessionExpired, SessionEvicted)


class Attempts:
    """Decides what follows each failure of one call: another attempt, or an error.

    A refusal says that its own attempt was not done, and nothing of those before it. So a call of which one
    attempt may have been done ends with OutcomeUnknown, whatever the last attempt failed with; that is its
    cause.
    """

    def __init__(self, operation: Operation[Any], retries: Retries) -> None:
        self._operation, self._retries = operation, retries
        self._num_made, self._in_doubt = 0, False

    def wait_seconds(self, error: NextcharError) -> float:
        """Returns how long to wait before the next attempt.

        Raises:
            NextcharError: there is none.
        """
        repeatable = self._operation.repeatable
        self._num_made += 1
        failure = self.failure(error)
        wait = self._retries.wait_seconds(error, attempt=self._num_made, repeatable=repeatable)
        if wait is None:
            raise failure
        return wait

    def failure(self, error: NextcharError) -> NextcharError:
        """Returns what the call fails with if `error` ends it."""
        self._in_doubt |= self._operation.changes and may_be_done(error)
        if isinstance(error, OutcomeUnknown) and error.revision is None:
            error.revision = self._next_revision
        if not self._in_doubt or isinstance(error, OutcomeUnknown):
            return error
        if isinstance(error, GONE) and self._operation.refused_as is not SessionNotFound:
            return error  # there is nothing left that could have been changed
        unknown = OutcomeUnknown(self._message(error), revision=self._next_revision)
        unknown.__cause__ = error
        return unknown

    @property
    def _next_revision(self) -> int | None:
        sent: int | None = self._operation.fields.get("if_revision")
        return None if sent is None else sent + 1

    def _message(self, error: NextcharError) -> str:
        operation = self._operation
        what = f"{operation.http_method} {operation.path}"
        if operation.refused_as is not None and isinstance(error, operation.refused_as):
            return (
                f"{what} was most likely done by an earlier attempt, whose answer was lost; a second "
                f"one was refused: {error.message}. Look at the session before you do it anew"
            )
        return (
            f"{what} may have been done: {error.message}. Look at the session before you do it anew, or pass "
            "if_revision, so that the server refuses it if it was done"
        )
