"""What a server's error is on this side: the same kind of `errors`, and whether and when to ask again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from nextchar.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NextcharError,
    PermissionDenied,
    QueueFull,
    Unavailable,
)

UNREACHABLE = "unreachable"  # no connection: the server has not seen the call
CONNECTION_LOST = "connection_lost"  # it may have

# Where a code is not one of ours: the kind by its HTTP status.
_BY_STATUS: dict[int, type[NextcharError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    429: QueueFull,
    503: Unavailable,
    504: DeadlineExceeded,
}


def _kinds(base: type[NextcharError]) -> Iterator[type[NextcharError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


def error_from_wire(
    code: str, message: str, *, param: str | None, retry_after_seconds: float | None, status: int = 500
) -> NextcharError:
    """An error as the service raised it over there.

    `retry_after_seconds` is the server's, where it said so.
    """
    by_code = {kind.code: kind for kind in _kinds(NextcharError) if "code" in vars(kind)}
    other = InvalidRequest if 400 <= status < 500 else InternalError
    kind = by_code.get(code) or _BY_STATUS.get(status, other)
    if code in ("draining", UNREACHABLE, CONNECTION_LOST):
        kind = Unavailable
    error = kind.__new__(kind)
    NextcharError.__init__(error, message, param=param)
    error.code = code
    if retry_after_seconds is not None or isinstance(error, QueueFull | Unavailable):
        error.retry_after_seconds = retry_after_seconds  # type: ignore[attr-defined]
    return error


def no_connection(place: str, why: object, *, code: str = UNREACHABLE) -> NextcharError:
    return error_from_wire(code, f"{place}: {why}", param=None, retry_after_seconds=None)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is asked again, and how long is waited between.

    Asked again is what the server refused before it did anything (`queue_full`, `draining`,
    `model_not_ready`), and what did not reach it; a call whose answer got lost only if asking twice changes
    nothing. What the server says to wait is waited, and up to a quarter more, so that many clients do not
    come back at once; if it says nothing, twice as long each time. A wait beyond `max_wait_seconds` is not
    begun.
    """

    max_attempts: int = 4
    first_wait_seconds: float = 0.1
    max_wait_seconds: float = 30.0

    def wait_seconds(self, error: NextcharError, *, attempt: int, repeatable: bool) -> float | None:
        """How long to wait after the attempt of this number, from 1; None: it is the last."""
        if attempt >= self.max_attempts or not isinstance(error, QueueFull | Unavailable):
            return None
        if error.code == CONNECTION_LOST and not repeatable:
            return None
        told: float | None = error.retry_after_seconds
        wait = self.first_wait_seconds * 2 ** (attempt - 1) if told is None else told
        if wait > self.max_wait_seconds:
            return None
        low, high = (0.5, 1.0) if told is None else (1.0, 1.25)
        return wait * random.uniform(low, high)
