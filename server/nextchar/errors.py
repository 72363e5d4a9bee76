"""Defines every error that a person can see, by kind; each API maps a kind to its status.

NextcharError                      a `code`, a message for a person, the `param` at fault
├── InvalidRequest                 a value of the request is not valid
│   ├── UnsupportedMediaType       the body says that it is something else than the route reads
│   ├── UnknownCharacter           a character is outside the vocabulary, and that is refused
│   └── InputTooLarge              the input is over a size limit
│       └── AnswerTooLarge         the answer would be
├── ModelNotFound                  the model is not served
│   └── JudgeNotFound              the judge is not served
├── RouteNotFound                  the path or the method does not exist
│   └── ServiceNotFound            health is asked of a service that does not exist
├── AuthenticationFailed           the API key is missing, unknown or expired
├── PermissionDenied               the API key does not allow this request
│   └── ForeignRequest             a page of another origin made the request, or for a host of another name
├── SessionError                   the request does not fit the session
│   ├── SessionNotFound            the principal has no session of this id
│   ├── SessionExpired             the session was unused for longer than its time to live
│   ├── SessionExists              the id is in use
│   ├── SessionEvicted             the store has removed the session to free memory
│   ├── SessionBusy                another request has changed the session meanwhile
│   ├── SessionMoved               the session is not at the revision that the request expects
│   ├── SessionClosing             the session is being ended
│   ├── StateInvalid               the bytes are not a state that this server has sealed
│   └── StateModelMismatch         the state is of another model, or of a version that is gone
├── OutcomeUnknown                 a change may have been done: ask for the session before doing it again
├── SessionLimit                   the quota of sessions is used up; retry after `retry_after_seconds`
├── QueueFull                      the queue is full; retry after `retry_after_seconds`
│   └── RateLimited                the budget of the API key is used up
├── Unavailable                    the server or the model is loading, has failed or drains
├── RequestTimeout                 the request did not arrive in time
├── DeadlineExceeded               the request took longer than its timeout
├── ClientGone                     the client left before its response was ready
├── SettingsInvalid                a setting cannot be used; raised at start
├── CannotListen                   a port is in use or not permitted; raised at start
├── InternalError                  a fault of the server; its cause is logged and never sent
└── ModelFileError                 a model file is not valid; raised when it is loaded
    └── GoldenMismatch             a model file does not score its golden strings as it did when written
"""

from decimal import ROUND_CEILING, Context

SOONEST_SECONDS = 1.0  # the shortest `retry_after_seconds`, and its default


def shown_least(limit: float) -> str:
    """Returns a lower limit for a message in two digits, rounded up: what it says is itself allowed."""
    return f"{float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(limit))):g}"


class NextcharError(Exception):
    """The base of all errors.

    `code` is stable and for programs, `message` is for people, `param` names the field at fault.
    """

    code = "server_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(NextcharError):
    """A value of the request is not valid; `code` says in what way."""

    code = "invalid_value"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        if code is not None:
            self.code = code


class UnsupportedMediaType(InvalidRequest):
    code = "unsupported_media_type"


class UnknownCharacter(InvalidRequest):
    code = "unknown_character"


class InputTooLarge(InvalidRequest):
    code = "input_too_large"


class AnswerTooLarge(InputTooLarge):
    code = "answer_too_large"


class ModelNotFound(NextcharError):
    code = "model_not_found"


class JudgeNotFound(ModelNotFound):
    code = "judge_not_found"


class RouteNotFound(NextcharError):
    code = "not_found"


class ServiceNotFound(RouteNotFound):
    """There is no gRPC service of the name whose health a client asks for."""

    code = "service_not_found"


class AuthenticationFailed(NextcharError):
    """The API key is missing, unknown or expired, as `code` says."""

    code = "invalid_api_key"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class PermissionDenied(NextcharError):
    code = "permission_denied"


class ForeignRequest(PermissionDenied):
    """A browser was made to send the request, by a page that is not the server's own."""

    code = "foreign_request"


class SessionError(NextcharError):
    """The request does not fit the session; the client has to change it."""


class SessionNotFound(SessionError):
    code = "session_not_found"


class SessionExpired(SessionError):
    code = "session_expired"


class SessionExists(SessionError):
    code = "session_exists"


class SessionBusy(SessionError):
    code = "session_busy"


class SessionEvicted(SessionError):
    code = "session_evicted"


class SessionMoved(SessionError):
    code = "session_moved"


class SessionClosing(SessionError):
    code = "session_closing"


class SessionLimit(NextcharError):
    """The quota of the owner is used up until one of its sessions expires or is ended."""

    code = "session_limit"

    def __init__(self, message: str, *, retry_after_seconds: float = SOONEST_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(NextcharError):
    """A change of a session may have been done: the store was sent it and did not confirm it.

    `revision` is the one that the session has if it was done; None where none can be named.
    """

    code = "outcome_unknown"

    def __init__(self, message: str, *, param: str | None = None, revision: int | None = None) -> None:
        super().__init__(message, param=param)
        self.revision = revision


class StateInvalid(SessionError):
    code = "state_invalid"


class StateModelMismatch(SessionError):
    code = "state_model_mismatch"


class QueueFull(NextcharError):
    """The queue is full; `code` is `queue_timeout` for a request that has waited in it too long."""

    code = "queue_full"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float = SOONEST_SECONDS
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class RateLimited(QueueFull):
    """The budget of the API key is used up, however busy the server is."""

    code = "rate_limit"


class Unavailable(NextcharError):
    """The server cannot take this request now; `code` is `draining` or `model_not_ready`."""

    code = "model_not_ready"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float = SOONEST_SECONDS
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class RequestTimeout(NextcharError):
    """The request did not arrive in time."""

    code = "request_timeout"


class DeadlineExceeded(NextcharError):
    code = "deadline_exceeded"


class ClientGone(NextcharError):
    code = "client_gone"


class InternalError(NextcharError):
    code = "server_error"


class SettingsInvalid(NextcharError):
    code = "settings_invalid"


class CannotListen(NextcharError):
    code = "cannot_listen"


class ModelFileError(NextcharError):
    """The file is not a model of nextchar, or its card does not match its graph."""

    code = "model_file_invalid"


class GoldenMismatch(ModelFileError):
    """The file is damaged, or the int8 arithmetic of this processor saturates (docs/determinism.md)."""
