"""Reads, validates, observes and answers the calls of a method, and ends those that fail."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message
from pydantic import BaseModel

from nextchar.engine.cooperative import run_cooperatively
from nextchar.errors import InternalError, InvalidRequest, NextcharError
from nextchar.rpc.errors import NOT_PROTOBUF, abort
from nextchar.rpc.method import SESSION_KEY, Context, RpcCall, RpcMethod, metadata_of
from nextchar.rpc.unknown_fields import refuse_unknown_fields
from nextchar.schemas.item_limits import DEFAULT_ITEMS, ItemLimits
from nextchar.schemas.json_pieces import IN_PIECES_BYTES
from nextchar.schemas.protobuf import M, message_in_parts, to_message
from nextchar.schemas.sessions import is_session_id
from nextchar.security.principal import CLIENT_ADDRESS
from nextchar.telemetry.calls import CALL
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import (
    TRACE_HEADERS,
    RequestContext,
    Route,
    make_context,
    make_request_id,
)

R = TypeVar("R")
logger = logging.getLogger(__name__)


class RpcHandler:
    """Makes what gRPC calls of each method; the only place where the context of a gRPC request is made."""

    def __init__(
        self,
        metrics: Metrics,
        items: ItemLimits = DEFAULT_ITEMS,
        *,
        request_timeout_seconds: float,
        lenient_fields: bool = False,
    ) -> None:
        self._metrics, self._items = metrics, items
        self.lenient_fields = lenient_fields
        self._timeout_seconds = request_timeout_seconds

    def endpoint(self, method: RpcMethod) -> grpc.RpcMethodHandler:
        """Makes the handler that answers the calls of a method."""
        return method.of_grpc(self._behavior(method), self._items)

    def _behavior(self, method: RpcMethod) -> Callable[..., Any]:
        async def answer(message: Message, context: Context) -> Message:
            async with self.ended_by_errors(context):
                if method.read is None:
                    found: Message = await method.handle(message, context)
                    note_success()
                    return found
                async with self._observed_call(method, message, context) as call:
                    return await as_message(await method.handle(call), method.output_type, call.ctx)
            raise AssertionError("the call was aborted")

        async def stream(message: Message, context: Context) -> AsyncGenerator[Message]:
            async with (
                self.ended_by_errors(context),
                self._observed_call(method, message, context) as call,
                aclosing(method.handle(call)) as answers,
            ):
                async for one in answers:
                    yield await as_message(one, method.output_type, call.ctx)

        async def converse(messages: AsyncIterator[Message], context: Context) -> AsyncGenerator[Message]:
            async with self.ended_by_errors(context), aclosing(method.handle(messages, context)) as answers:
                async for one in answers:
                    yield one
                note_success()

        if method.descriptor.client_streaming:
            return converse
        return stream if method.descriptor.server_streaming else answer

    @asynccontextmanager
    async def _observed_call(
        self, method: RpcMethod, message: Message, context: Context
    ) -> AsyncIterator[RpcCall[Any]]:
        """Observes a call of one message; sends the id of the request first, the session last."""
        assert method.label is not None
        assert method.read is not None
        call, refused = self._begin(method.label, partial(method.read, message), message, context)
        with self._metrics.observe(call.ctx):
            trace = (("traceparent", call.ctx.trace.traceparent),) if call.ctx.trace is not None else ()
            await context.send_initial_metadata((("x-request-id", call.ctx.request_id), *trace))
            if refused is not None:
                raise refused
            try:
                yield call
            finally:
                if is_session_id(call.ctx.session_id):
                    context.set_trailing_metadata(((SESSION_KEY, call.ctx.session_id),))

    @contextmanager
    def observed(
        self, label: Route, read: Callable[[], R], message: Message, context: Context
    ) -> Iterator[RpcCall[R]]:
        """Observes one message of a stream, with a context of its own."""
        call, refused = self._begin(label, read, message, context)
        with self._metrics.observe(call.ctx):
            if refused is not None:
                raise refused
            yield call

    def check_fields(self, message: Message) -> None:
        """Checks a message of a stream, as `MessageInterceptor` does with single ones.

        Raises:
            InvalidRequest: it has a field that its type lacks, and the server is not lenient.
        """
        if not self.lenient_fields:
            refuse_unknown_fields(message)

    @asynccontextmanager
    async def ended_by_errors(self, context: Context) -> AsyncIterator[None]:
        """Ends the call with the status of an error inside; an unexpected one is logged."""
        try:
            yield
        except NextcharError as error:
            await abort(context, error)
        except DecodeError:
            await abort(context, InvalidRequest(NOT_PROTOBUF))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            logger.exception("a call failed")
            failure = InternalError("the server failed; the cause is in its log")
            await abort(context, failure, cause=error)

    def _begin(
        self, label: Route, read: Callable[[], R], message: Message, context: Context
    ) -> tuple[RpcCall[R], NextcharError | None]:
        """Reads a message and makes its context; also returns why it is refused, to be raised later."""
        started = time.monotonic()
        body, refused = None, None
        try:
            body = read()
        except NextcharError as error:
            refused = error
        seconds, metadata = time.monotonic() - started, metadata_of(context)
        ctx = self._make_context(context, metadata, label, body)
        return RpcCall(message, cast(R, body), ctx, seconds, metadata), refused

    def _make_context(
        self, context: Context, metadata: Mapping[str, str], label: Route, body: object
    ) -> RequestContext:
        remaining = context.time_remaining()
        CLIENT_ADDRESS.set(_address(context.peer()))
        ctx = make_context(
            label,
            "grpc",
            body,
            request_id=make_request_id(metadata.get("x-request-id")),
            max_seconds=self._timeout_seconds if remaining is None else min(remaining, self._timeout_seconds),
            trace_headers={name: metadata[name] for name in TRACE_HEADERS if name in metadata},
        )
        ctx.has_client = partial(_has_client, context, asyncio.current_task())
        return ctx


def note_success() -> None:
    """Notes that the call of this task has succeeded, where no request of it is observed."""
    if (call := CALL.get()) is not None:
        call.succeed()


def _has_client(context: Context, task: "asyncio.Task[object] | None") -> bool:
    """Returns whether a call has its client: gRPC cancels the task of one whose client has left."""
    return not (context.cancelled() or context.done() or (task is not None and task.cancelling()))


def _address(peer: str) -> str:
    """Returns the address of a peer such as ipv4:127.0.0.1:5000 or ipv6:%5B::1%5D:5000, as REST has it."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


async def as_message(answer: BaseModel | M, message_type: type[M], ctx: RequestContext) -> M:
    """Converts an answer to its message; one that may be large in parts, with other work in between."""
    if not isinstance(answer, BaseModel):
        return answer
    if ctx.answer_bytes > IN_PIECES_BYTES:
        return await run_cooperatively(message_in_parts(answer, message_type))
    return to_message(answer, message_type)
