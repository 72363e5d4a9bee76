"""What every gRPC handler does around its call of the service: observe, validate, answer, end."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from pydantic import BaseModel

from nextchar.errors import InternalError, InvalidRequest, NextcharError
from nextchar.request_context import TRACE_HEADERS, RequestContext, Route, make_request_id
from nextchar.rpc.errors import abort
from nextchar.rpc.unknown_fields import refuse_unknown_fields
from nextchar.schemas.base import validated
from nextchar.schemas.protobuf import M, to_fields, to_message
from nextchar.telemetry.metrics import Metrics

R = TypeVar("R", bound=BaseModel)
logger = logging.getLogger(__name__)


class RpcHandler:
    """The settings of the door, and the parts its handlers are made of."""

    def __init__(
        self, metrics: Metrics, *, request_timeout_seconds: float, lenient_fields: bool = False
    ) -> None:
        self._metrics = metrics
        self.lenient_fields = lenient_fields
        self._timeout_seconds = request_timeout_seconds

    async def answer(
        self,
        message: Message,
        context: grpc.aio.ServicerContext,
        route: Route,
        schema: type[R],
        work: Callable[[R, RequestContext], Awaitable[BaseModel]],
        message_type: type[M],
    ) -> M:
        """A whole answer to a message."""

        async def run(ctx: RequestContext) -> M:
            body = validated(lambda: schema.model_validate(to_fields(message)))
            ctx.asked(body)
            return to_message(await work(body, ctx), message_type)

        return await self.run(context, route, run)

    async def run(
        self, context: grpc.aio.ServicerContext, route: Route, work: Callable[[RequestContext], Awaitable[M]]
    ) -> M:
        """A call's work inside its observation."""
        async with self.observed(context, route) as ctx:
            return await work(ctx)
        raise AssertionError("the call was aborted")

    def check_fields(self, message: Message) -> None:
        """Hold a message of a stream against its type, as `MessageInterceptor` does with single ones.

        Raises:
            InvalidRequest: it has a field that is not known, and the server is not lenient.
        """
        if not self.lenient_fields:
            refuse_unknown_fields(message)

    @asynccontextmanager
    async def observed(
        self, context: grpc.aio.ServicerContext, route: Route
    ) -> AsyncIterator[RequestContext]:
        """A call, counted; an error inside ends it with its status."""
        ctx = self.new_context(context, route)
        async with self.ended_by_errors(context):
            with self._metrics.observe(ctx):
                trace = (("traceparent", ctx.trace.traceparent),) if ctx.trace is not None else ()
                await context.send_initial_metadata((("x-request-id", ctx.request_id), *trace))
                yield ctx

    @asynccontextmanager
    async def ended_by_errors(self, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """An error inside ends the call with its status; what nobody expected is logged."""
        try:
            yield
        except NextcharError as error:
            await abort(context, error)
        except DecodeError:
            await abort(context, InvalidRequest("a message of the stream is no protobuf of this call"))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception:
            logger.exception("a call failed")
            await abort(context, InternalError("the server failed; the cause is in its log"))

    def new_context(self, context: grpc.aio.ServicerContext, route: Route) -> RequestContext:
        """A call that begins now, with an id for its answer and the log."""
        metadata = dict(context.invocation_metadata() or ())
        remaining = context.time_remaining()
        seconds = self._timeout_seconds if remaining is None else min(remaining, self._timeout_seconds)
        given = metadata.get("x-request-id")
        request_id = make_request_id(given if isinstance(given, str) else None)
        headers = {name: str(metadata[name]) for name in TRACE_HEADERS if name in metadata}
        return RequestContext(route, "grpc", time.monotonic() + seconds, request_id, trace_headers=headers)
