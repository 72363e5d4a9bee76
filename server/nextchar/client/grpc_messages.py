"""Writes requests and reads answers and errors of gRPC."""

from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from nextchar.client.endpoint import Endpoint
from nextchar.client.operations import Operation
from nextchar.client.wire_errors import CONNECTION_LOST, AnswerTimeout, error_from_wire
from nextchar.errors import InvalidRequest, NextcharError, Unavailable
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas.protobuf import to_request

_WRITE_REFUSED = "Internal error from Core"  # what grpc.aio says of a message that could not be sent
CHANNEL_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0))
# The statuses that REST gives the same errors, for codes that this client does not know.
_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Method(NamedTuple):
    """The first arguments of a channel's call: a path, a serializer and a deserializer."""

    path: str
    serialize: Any
    deserialize: Any


def method(rpc: str) -> Method:
    """The method with a name, as Service/Method."""
    found = _descriptor(rpc)
    request_type, answer_type = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
    path = f"/{found.containing_service.full_name}/{found.name}"
    return Method(path, request_type.SerializeToString, answer_type.FromString)


def rpc_of(operation: Operation[Any]) -> str:
    """The name of an operation's method.

    Raises:
        InvalidRequest: gRPC has no such call.
    """
    if operation.rpc is None:
        text = f"{operation.path} is not a part of the gRPC API; use the server's http:// or https:// address"
        raise InvalidRequest(text, code="not_over_grpc")
    return operation.rpc


def answers_in_parts(rpc: str) -> bool:
    """Whether a method's answer is a stream."""
    return bool(_descriptor(rpc).server_streaming)


def request_message(operation: Operation[Any], *, only: Collection[str] = ()) -> Message:
    """The message of a call, with all its fields or with some.

    Raises:
        InvalidRequest: gRPC has no such call or no such field, or cannot hold a value.
    """
    message_type = GetMessageClass(_descriptor(rpc_of(operation)).input_type)
    fields = dict(operation.fields)
    if operation.content is not None:
        fields["state"] = operation.content
    if only:
        fields = {name: value for name, value in fields.items() if name in only}
    return to_request(fields, message_type, session_id=operation.session_id)


def call_options(operation: Operation[Any], endpoint: Endpoint, timeout_seconds: float) -> dict[str, Any]:
    """The deadline and the metadata of a call."""
    headers = endpoint.headers | operation.headers
    return {"timeout": operation.wait_seconds(timeout_seconds), "metadata": tuple(headers.items())}


def channel_credentials(endpoint: Endpoint) -> grpc.ChannelCredentials:
    """Loads the certificates for a channel."""
    roots = None if endpoint.ca_file is None else Path(endpoint.ca_file).read_bytes()
    if endpoint.certificate is None:
        return grpc.ssl_channel_credentials(roots)
    chain, key = (Path(file).read_bytes() for file in endpoint.certificate)
    return grpc.ssl_channel_credentials(roots, key, chain)


class WriteRefused(Unavailable):
    """A message of a stream could not be sent: the server has ended the call, and its reason is lost.

    `grpc.aio` then reports an internal error of its own in place of the server's status.
    """

    code = CONNECTION_LOST


@contextmanager
def grpc_errors() -> Generator[None]:
    """Raises what gRPC raises as errors of nextchar."""
    try:
        yield
    except grpc.RpcError as error:
        raise _error(error) from error


@contextmanager
def cancelled_at_the_end(call: Any) -> Generator[None]:
    """Cancels a call, so that a stream which is left early ends on the server too."""
    try:
        yield
    finally:
        call.cancel()


def _descriptor(rpc: str) -> MethodDescriptor:
    service, _, name = rpc.partition("/")
    return pb.DESCRIPTOR.services_by_name[service].methods_by_name[name]


def _error(error: Any) -> NextcharError:
    metadata = dict(error.trailing_metadata() or ())
    message = error.details() or str(error.code())
    raw = metadata.get("grpc-status-details-bin")
    if raw is None:
        return _plain_error(error.code(), message)
    info, field = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    wait, has_wait = error_details_pb2.RetryInfo(), False
    for packed in status_pb2.Status.FromString(raw).details:
        packed.Unpack(info)
        packed.Unpack(field)
        has_wait |= packed.Unpack(wait)
    revision = info.metadata.get("revision", "")
    return error_from_wire(
        info.reason.lower() or "server_error",
        message,
        param=field.field_violations[0].field if field.field_violations else None,
        retry_after_seconds=wait.retry_delay.ToTimedelta().total_seconds() if has_wait else None,
        status=_STATUSES.get(error.code(), 500),
        revision=int(revision) if revision.isdecimal() else None,
    )


def _plain_error(code: grpc.StatusCode, message: str) -> NextcharError:
    """The error of a status that gRPC itself made."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return AnswerTimeout("the server did not answer in time")
    if code is grpc.StatusCode.INTERNAL and message.startswith(_WRITE_REFUSED):
        return WriteRefused("the server ended the stream")
    if code is grpc.StatusCode.UNAVAILABLE:
        # Whether the server saw the call is not known.
        return error_from_wire(CONNECTION_LOST, message, param=None, retry_after_seconds=None)
    name = "input_too_large" if code is grpc.StatusCode.RESOURCE_EXHAUSTED else code.name.lower()
    return error_from_wire(name, message, param=None, retry_after_seconds=None)
