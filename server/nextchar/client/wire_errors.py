"""Turns what a server or a connection reports into errors of `nextchar.errors`."""

from collections.abc import Iterator

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

# The kind of an error whose code is not one of ours, by its HTTP status.
_BY_STATUS: dict[int, type[NextcharError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    429: QueueFull,
    503: Unavailable,
    504: DeadlineExceeded,
}


def error_from_wire(
    code: str, message: str, *, param: str | None, retry_after_seconds: float | None, status: int = 500
) -> NextcharError:
    """Makes the error that the server raised; `retry_after_seconds` is None where the server gave none."""
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


def connection_error(url: str, cause: object, *, code: str = UNREACHABLE) -> NextcharError:
    """Makes the error of a call that got no answer."""
    return error_from_wire(code, f"{url}: {cause}", param=None, retry_after_seconds=None)


def _kinds(base: type[NextcharError]) -> Iterator[type[NextcharError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
