"""Refuses messages that have unknown fields or are not valid protobuf, for which gRPC would say UNKNOWN."""

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
    """Stands for a message that was refused."""

    def __init__(self, error: InvalidRequest) -> None:
        self.error = error


class MessageInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Reads the message of calls with one message; `RpcHandler` reads those of streams.

    `strict` holds the services whose messages may have no unknown field.
    """

    def __init__(self, strict: Container[str]) -> None:
        self._strict = strict

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Returns the handler with a reader that does not raise."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming or handler.request_deserializer is None:
            return handler
        reading = _reading(handler.request_deserializer, strict=_service(details.method) in self._strict)
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        handle = getattr(handler, kind)
        # A stream is an asynchronous generator, or, as health's Watch, a coroutine that writes.
        checked = _checked_stream(handle) if inspect.isasyncgenfunction(handle) else _checked(handle)
        return handler._replace(request_deserializer=reading, **{kind: checked})


def _service(method: str) -> str:
    """Returns the service of "/package.Service/Method"."""
    return method.rpartition("/")[0].removeprefix("/")


def _reading(read: Callable[[bytes], Any], *, strict: bool) -> Callable[[bytes], Any]:
    """Makes a reader that returns an error in place of raising it."""

    def reading(data: bytes) -> Any:
        try:
            message = read(data)
            if strict:
                refuse_unknown_fields(message)
        except DecodeError:
            return _Refused(InvalidRequest("the message is not a valid protobuf message of this method"))
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
