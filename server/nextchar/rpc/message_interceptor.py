"""Messages that may not pass: unknown fields, and what protobuf cannot read: gRPC would say UNKNOWN of it."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Container
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from nextchar.errors import InvalidRequest
from nextchar.rpc.errors import abort
from nextchar.rpc.unknown_fields import refuse_unknown_fields

Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class _Refused:
    """In place of a message."""

    def __init__(self, error: InvalidRequest) -> None:
        self.error = error


class MessageInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Reads the one message of calls that have one; streams are read by `RpcHandler`.

    `strict` are the services whose messages may have no unknown field.
    """

    def __init__(self, strict: Container[str]) -> None:
        self._strict = strict

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """The handler with a reader that does not raise."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming or handler.request_deserializer is None:
            return handler
        reading = _reading(handler.request_deserializer, strict=_service(details.method) in self._strict)
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        handle = getattr(handler, kind)
        # A stream is an asynchronous generator, or a coroutine that writes: health's Watch.
        checked = _checked_stream(handle) if inspect.isasyncgenfunction(handle) else _checked(handle)
        return handler._replace(request_deserializer=reading, **{kind: checked})


def _service(method: str) -> str:
    """Of "/package.Service/Method"."""
    return method.rpartition("/")[0].removeprefix("/")


def _reading(read: Callable[[bytes], Any], *, strict: bool) -> Callable[[bytes], Any]:
    """A reader that does not raise."""

    def reading(data: bytes) -> Any:
        try:
            message = read(data)
            if strict:
                refuse_unknown_fields(message)
        except DecodeError:
            return _Refused(InvalidRequest("the message is no protobuf of this call"))
        except InvalidRequest as error:
            return _Refused(error)
        return message

    return reading


def _checked(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def checked(message: Any, context: grpc.aio.ServicerContext) -> Any:
        if isinstance(message, _Refused):
            await abort(context, message.error)
        return await handle(message, context)

    return checked


def _checked_stream(handle: Callable[..., AsyncGenerator[Any]]) -> Callable[..., AsyncGenerator[Any]]:
    async def checked(message: Any, context: grpc.aio.ServicerContext) -> AsyncGenerator[Any]:
        if isinstance(message, _Refused):
            await abort(context, message.error)
        async with aclosing(handle(message, context)) as answers:
            async for answer in answers:
                yield answer

    return checked
