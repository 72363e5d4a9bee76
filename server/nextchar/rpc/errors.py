"""Converts errors to gRPC statuses with the details of google.rpc."""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from nextchar.errors import (
    AuthenticationFailed,
    ClientGone,
    DeadlineExceeded,
    InputTooLarge,
    InvalidRequest,
    ModelFileError,
    ModelNotFound,
    NextcharError,
    OutcomeUnknown,
    PermissionDenied,
    QueueFull,
    RequestTimeout,
    RouteNotFound,
    ServiceNotFound,
    SessionBusy,
    SessionClosing,
    SessionEvicted,
    SessionExists,
    SessionExpired,
    SessionLimit,
    SessionMoved,
    SessionNotFound,
    StateInvalid,
    StateModelMismatch,
    Unavailable,
)
from nextchar.telemetry.metrics import note_failure

_DOMAIN = "nextchar"
_DETAILS_KEY = "grpc-status-details-bin"
NOT_PROTOBUF = "the message is not a valid protobuf message of this method"

# The first class that an error is an instance of gives its status.
_CODES: tuple[tuple[type[NextcharError], grpc.StatusCode], ...] = (
    (InputTooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (ModelNotFound, grpc.StatusCode.NOT_FOUND),
    (ServiceNotFound, grpc.StatusCode.NOT_FOUND),
    (RouteNotFound, grpc.StatusCode.UNIMPLEMENTED),
    (AuthenticationFailed, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (SessionNotFound, grpc.StatusCode.NOT_FOUND),
    (SessionExpired, grpc.StatusCode.NOT_FOUND),
    (SessionExists, grpc.StatusCode.ALREADY_EXISTS),
    (SessionEvicted, grpc.StatusCode.NOT_FOUND),
    (SessionBusy, grpc.StatusCode.ABORTED),
    (SessionMoved, grpc.StatusCode.ABORTED),
    (SessionClosing, grpc.StatusCode.FAILED_PRECONDITION),
    (StateModelMismatch, grpc.StatusCode.FAILED_PRECONDITION),
    (StateInvalid, grpc.StatusCode.INVALID_ARGUMENT),
    (SessionLimit, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (QueueFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (RequestTimeout, grpc.StatusCode.DEADLINE_EXCEEDED),
    (ModelFileError, grpc.StatusCode.FAILED_PRECONDITION),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (ClientGone, grpc.StatusCode.CANCELLED),
    (OutcomeUnknown, grpc.StatusCode.UNKNOWN),
    (NextcharError, grpc.StatusCode.INTERNAL),
)


async def abort(
    context: grpc.aio.ServicerContext, error: NextcharError, *, cause: BaseException | None = None
) -> None:
    """Ends a call with an error, which is counted unless it, or its cause, has been; it never returns."""
    note_failure(cause or error)
    code = next(code for cls, code in _CODES if isinstance(error, cls))
    status = status_pb2.Status(code=code.value[0], message=error.message)
    # The code as in REST; google.rpc requires reasons in upper case.
    facts = {"code": error.code} | ({} if error.param is None else {"param": error.param})
    if isinstance(error, OutcomeUnknown) and error.revision is not None:
        facts["revision"] = str(error.revision)
    info = error_details_pb2.ErrorInfo(reason=error.code.upper(), domain=_DOMAIN, metadata=facts)
    details: list[object] = [info]
    if error.param is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.param, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, QueueFull | Unavailable | SessionLimit):
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailing = context.trailing_metadata() or ()  # the session
    await context.abort(code, error.message, (*trailing, (_DETAILS_KEY, status.SerializeToString())))


def ending(error: NextcharError) -> grpc.RpcMethodHandler:
    """Makes a handler for any kind of call that ends it with an error."""

    async def end(_messages: object, context: grpc.aio.ServicerContext) -> None:
        await abort(context, error)

    return grpc.stream_stream_rpc_method_handler(end)
