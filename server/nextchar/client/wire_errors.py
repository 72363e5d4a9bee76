"""Turns what a server or a connection reports into errors of `nextchar.errors`."""

from collections.abc import Iterator

from nextchar.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NextcharError,
    OutcomeUnknown,
    PermissionDenied,
    QueueFull,
    Unavailable,
)

UNREACHABLE = "unreachable"  # no connection: the server has not seen the call
CONNECTION_LOST = "connection_lost"  # it may have
NOT_OURS = "http_error"  # the answer is that of a proxy, or of another server

# The kind of an error whose code is not one of ours, by its HTTP status.
_BY_STATUS: dict[int, type[NextcharError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    429: QueueFull,
    503: Unavailable,
    504: DeadlineExceeded,
}


class AnswerTimeout(DeadlineExceeded):
    """The client has stopped waiting for the answer; the server did not say that it refused the call."""


def error_from_wire(
    code: str,
    message: str,
    *,
    param: str | None,
    retry_after_seconds: float | None,
    status: int = 500,
    revision: int | None = None,
) -> NextcharError:
    """Makes the error that the server raised; `retry_after_seconds` is None where the server gave none.

    `revision` is that of OutcomeUnknown.
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
    if isinstance(error, OutcomeUnknown):
        error.revision = revision
    return error


def connection_error(url: str, cause: object, *, code: str = UNREACHABLE) -> NextcharError:
    """Makes the error of a call that got no answer."""
    return error_from_wire(code, f"{url}: {cause}", param=None, retry_after_seconds=None)


def may_be_done(error: NextcharError) -> bool:
    """Returns whether the server may have done a call that failed so: nothing says that it refused it."""
    if isinstance(error, OutcomeUnknown | InternalError | AnswerTimeout):
        return True
    return isinstance(error, Unavailable | DeadlineExceeded) and error.code in (CONNECTION_LOST, NOT_OURS)


def _kinds(base: type[NextcharError]) -> Iterator[type[NextcharError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
