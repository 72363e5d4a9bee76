"""A message that protobuf cannot read is the caller's fault, and answered so; gRPC would say UNKNOWN."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from nextchar.errors import InvalidRequest
from nextchar.rpc_errors import abort

Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]
_ERROR = InvalidRequest("the message is no protobuf of this call")


class _Unreadable:
    """In place of a message."""


class RpcReading(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Reads the one message of calls that have one; streams are read by `RpcCalls`."""

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """The handler with a reader that does not raise."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming or handler.request_deserializer is None:
            return handler
        read = handler.request_deserializer

        def reading(data: bytes) -> Any:
            try:
                return read(data)
            except DecodeError:
                return _Unreadable()

        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        handle = getattr(handler, kind)
        # A stream is an asynchronous generator, or a coroutine that writes: health's Watch.
        checked = _checked_stream(handle) if inspect.isasyncgenfunction(handle) else _checked(handle)
        return handler._replace(request_deserializer=reading, **{kind: checked})


def _checked(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def checked(message: Any, context: grpc.aio.ServicerContext) -> Any:
        if isinstance(message, _Unreadable):
            await abort(context, _ERROR)
        return await handle(message, context)

    return checked


def _checked_stream(handle: Callable[..., AsyncGenerator[Any]]) -> Callable[..., AsyncGenerator[Any]]:
    async def checked(message: Any, context: grpc.aio.ServicerContext) -> AsyncGenerator[Any]:
        if isinstance(message, _Unreadable):
            await abort(context, _ERROR)
        async with aclosing(handle(message, context)) as answers:
            async for answer in answers:
                yield answer

    return checked
