"""Defines a row of the table of gRPC methods, and makes handlers from use cases."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import validated
from nextchar.schemas.item_limits import ItemLimits
from nextchar.schemas.protobuf import to_fields
from nextchar.schemas.sessions import SESSION_HEADER
from nextchar.security.access import Need
from nextchar.telemetry.request_context import RequestContext
from nextchar.telemetry.request_context import Route as Label

R = TypeVar("R")
T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Read = Callable[[Any], R]
SESSION_KEY = SESSION_HEADER.lower()  # the metadata that name a session
Context: TypeAlias = grpc.aio.ServicerContext


@dataclass(frozen=True, slots=True)
class RpcCall(Generic[R]):
    """Holds what a handler is given: the message, what was read of it, and its context."""

    message: Any
    body: R
    ctx: RequestContext
    read_seconds: float  # from the message to `body`
    metadata: Mapping[str, str]  # what came beside the message and is text

    @property
    def session_id(self) -> str:
        """The id of the session that the message names.

        Raises:
            InvalidRequest: the message names no session.
        """
        return session_id(self.message)


Handler = Callable[[RpcCall[R]], Awaitable[T]]
StreamHandler = Callable[[RpcCall[R]], AsyncGenerator[T]]


@dataclass(frozen=True, slots=True, eq=False)
class RpcMethod:
    """Describes a method: its handler and the scope it needs; the proto file has its messages and streams.

    With `read`, calls are observed under the `label`, and `handle` is given an `RpcCall` and returns, or
    yields, answers of a schema or messages. Without, `handle` is given the message, or an iterator of
    messages, and gRPC's context; the label is then that of calls that are refused.
    """

    name: str
    handle: Callable[..., Any]
    read: Read[Any] | None = None
    label: Label | None = None
    service: ServiceDescriptor = field(kw_only=True)
    need: Need = field(kw_only=True)

    @property
    def path(self) -> str:
        """The method's name in HTTP/2, as interceptors see it."""
        return f"/{self.service.full_name}/{self.name}"

    @property
    def descriptor(self) -> MethodDescriptor:
        """What the proto file says of the method."""
        return self.service.methods_by_name[self.name]

    @property
    def input_type(self) -> type[Message]:
        """The class of its messages."""
        found: type[Message] = GetMessageClass(self.descriptor.input_type)
        return found

    @property
    def output_type(self) -> type[Message]:
        """The class of its answers."""
        found: type[Message] = GetMessageClass(self.descriptor.output_type)
        return found

    def of_grpc(self, handle: Callable[..., Any], items: ItemLimits) -> grpc.RpcMethodHandler:
        """Makes gRPC's description of the method, with `handle` to answer it.

        Its reader raises InvalidRequest for a message with too many items, before it is built.
        """
        parse, descriptor = self.input_type.FromString, self.input_type.DESCRIPTOR

        def read(data: bytes) -> Message:
            items.check_message(data, descriptor)
            return parse(data)

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[self.descriptor.client_streaming, self.descriptor.server_streaming]
        return make(handle, read, self.output_type.SerializeToString)


def body_of(schema: type[Model], **more: object) -> Read[Model]:
    """Makes a reader of messages as JSON bodies with their fields, and `more`."""

    def read(message: Message) -> Model:
        return validated(lambda: schema.model_validate(to_fields(message) | more))

    return read


def body_on_session(schema: type[Model], **more: object) -> Read[Model]:
    """Makes a reader of messages that must name their session."""
    read_body = body_of(schema, **more)

    def read(message: Message) -> Model:
        session_id(message)
        return read_body(message)

    return read


def nothing_of(_message: Message) -> None:
    """Reads a message that holds no more than a name."""


def answering(work: Callable[[R, RequestContext], Awaitable[T]]) -> Handler[R, T]:
    """Makes a handler that passes the body to a use case."""
    return lambda call: work(call.body, call.ctx)


def on_session(work: Callable[[str, R, RequestContext], Awaitable[T]]) -> Handler[R, T]:
    """Makes a handler that passes the body to a use case on the session of the message."""

    async def handle(call: RpcCall[R]) -> T:
        return await work(call.session_id, call.body, call.ctx)

    return handle


def session_id(message: Any) -> str:
    """Returns the session that a message names.

    Raises:
        InvalidRequest: the message names no session.
    """
    if not message.HasField("session_id"):
        raise InvalidRequest("session_id: field required", param="session_id")
    found: str = message.session_id
    return found


def metadata_of(context: Context) -> Mapping[str, str]:
    """Returns the metadata of a call that are text."""
    found = context.invocation_metadata() or ()
    return {key: value for key, value in found if isinstance(value, str)}
