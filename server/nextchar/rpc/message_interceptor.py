"""Refuses messages that are too large, have unknown fields or are not valid protobuf, and says why.

gRPC itself would end such a call with UNKNOWN, or with a status that has no details.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Container
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from nextchar.errors import InputTooLarge, InvalidRequest
from nextchar.rpc.errors import NOT_PROTOBUF, abort
from nextchar.rpc.unknown_fields import refuse_unknown_fields

Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class _Refused:
    """Stands for a message that was refused."""

    def __init__(self, error: InvalidRequest) -> None:
        self.error = error


class MessageInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Reads the message of calls with one message; of those of streams, it bounds the size.

    `strict` holds the services whose messages may have no unknown field.
    """

    def __init__(self, strict: Container[str], max_bytes: int) -> None:
        self._strict, self._max_bytes = strict, max_bytes

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Returns the handler with a reader that does not raise."""
        handler = await continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        read = _bounded(handler.request_deserializer, self._max_bytes)
        if handler.request_streaming:  # what reading raises is raised where the stream is read
            return handler._replace(request_deserializer=read)
        reading = _reading(read, strict=_service(details.method) in self._strict)
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        handle = getattr(handler, kind)
        # A stream is an asynchronous generator, or, as health's Watch, a coroutine that writes.
        checked = _checked_stream(handle) if inspect.isasyncgenfunction(handle) else _checked(handle)
        return handler._replace(request_deserializer=reading, **{kind: checked})


def _service(method: str) -> str:
    """Returns the service of "/package.Service/Method"."""
    return method.rpartition("/")[0].removeprefix("/")


def _bounded(read: Callable[[bytes], Any], max_bytes: int) -> Callable[[bytes], Any]:
    """Makes a reader that raises InputTooLarge for a message of more bytes."""

    def bounded(data: bytes) -> Any:
        if len(data) > max_bytes:
            raise InputTooLarge(
                f"the message has {len(data)} bytes, the limit is {max_bytes}; send it in several requests"
            )
        return read(data)

    return bounded


def _reading(read: Callable[[bytes], Any], *, strict: bool) -> Callable[[bytes], Any]:
    """Makes a reader that returns an error in place of raising it."""

    def reading(data: bytes) -> Any:
        try:
            message = read(data)
            if strict:
                refuse_unknown_fields(message)
        except DecodeError:
            return _Refused(InvalidRequest(NOT_PROTOBUF))
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
