"""Every error a caller can see, by kind. Doors map a kind to a status; nothing else decides one.

NextcharError                      a `code`, a message for a person, the `param` at fault
├── InvalidRequest                 the caller's values are wrong
│   ├── UnknownCharacter           outside the vocabulary, in strict mode
│   └── InputTooLarge              over a size limit
├── ModelNotFound
├── RouteNotFound                  no such path or call
├── AuthenticationFailed           no API key, or none that is good
├── PermissionDenied               the key does not reach so far
├── SessionError                   the call does not fit the session
│   ├── SessionNotFound            none of that id, or not the caller's
│   ├── SessionExpired
│   ├── SessionExists              the id is in use
│   ├── SessionEvicted             the store has thrown it out
│   ├── SessionBusy                others changed the session meanwhile
│   ├── SessionMoved               it is not at the revision that the call is for
│   ├── SessionClosing             it is being ended
│   ├── StateInvalid               bytes that are no state of this server's
│   └── StateModelMismatch         a state of another model, or of a version that is gone
├── SessionLimit                   no room for one more; after `retry_after_seconds` perhaps
├── QueueFull                      try again after `retry_after_seconds`
│   └── RateLimited                the key's own budget is used up
├── Unavailable                    loading, failed or draining
├── RequestTimeout                 the request did not arrive in time
├── DeadlineExceeded
├── ClientGone                     nobody is there to read the answer
├── SettingsInvalid                a setting cannot be used; raised at start
├── CannotListen                   a port is taken or not ours to take; raised at start
├── InternalError                  ours; its cause is logged, never sent
└── ModelFileError                 a model file that cannot be trusted; raised at load
    └── GoldenMismatch             it loads, but does not score as it did when it was written
"""

SOONEST_SECONDS = 1.0  # to come again in, where nothing says more


class NextcharError(Exception):
    """Base of all errors meant for people.

    `code` is stable and machine-readable, `param` names the field at fault.
    """

    code = "server_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(NextcharError):
    """A value the caller sent is wrong; `code` says which kind of wrong."""

    code = "invalid_value"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        if code is not None:
            self.code = code


class UnknownCharacter(InvalidRequest):
    code = "unknown_character"


class InputTooLarge(InvalidRequest):
    code = "input_too_large"


class ModelNotFound(NextcharError):
    code = "model_not_found"


class RouteNotFound(NextcharError):
    code = "not_found"


class AuthenticationFailed(NextcharError):
    """`code` says whether there was no key, an unknown one or an expired one."""

    code = "invalid_api_key"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class PermissionDenied(NextcharError):
    code = "permission_denied"


class SessionError(NextcharError):
    """The call does not fit the session: it is the caller's to put right."""


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
    """The owner has no room for it before the first of its sessions has expired, or is ended."""

    code = "session_limit"

    def __init__(self, message: str, *, retry_after_seconds: float = SOONEST_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StateInvalid(SessionError):
    code = "state_invalid"


class StateModelMismatch(SessionError):
    code = "state_model_mismatch"


class QueueFull(NextcharError):
    """`code` is `queue_full`, or `queue_timeout` for work that has waited too long."""

    code = "queue_full"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float = SOONEST_SECONDS
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class RateLimited(QueueFull):
    """The key's own budget is used up, whatever the server has to do."""

    code = "rate_limit"


class Unavailable(NextcharError):
    """The server cannot take this work now; `code` is `draining` or `model_not_ready`."""

    code = "model_not_ready"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float = SOONEST_SECONDS
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class RequestTimeout(NextcharError):
    """The request itself did not arrive in time."""

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
    """The file is not a nextchar model, or its card disagrees with its graph."""

    code = "model_file_invalid"


class GoldenMismatch(ModelFileError):
    """Damaged, or computed by a processor whose int8 arithmetic saturates (docs/determinism.md)."""
