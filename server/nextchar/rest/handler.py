"""What every REST handler does around its call of the service: read, validate, observe, answer."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack, aclosing
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from nextchar.request_context import TRACE_HEADERS, RequestContext, Route
from nextchar.rest.body import read_body, while_connected
from nextchar.rest.openapi_schemas import OpenApiSchemas
from nextchar.rest.sse import EventStream, events
from nextchar.schemas.base import validated
from nextchar.schemas.completion import Completion
from nextchar.telemetry.metrics import Metrics

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")
C = TypeVar("C", bound=Completion)
JSON = "application/json"


class RestHandler:
    """The settings of the door, and the parts its handlers are made of."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        max_body_bytes: int,
        request_timeout_seconds: float,
        receive_timeout_seconds: float = 20.0,
        lenient_fields: bool = False,
    ) -> None:
        self.shapes = OpenApiSchemas()
        self._receive_timeout_seconds = receive_timeout_seconds
        self.extra_fields: Literal["ignore"] | None = (
            "ignore" if lenient_fields else None  # as the schema says
        )
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = request_timeout_seconds

    def new_context(self, request: Request, route: Route) -> RequestContext:
        """A call that begins now, with an id for its answer and the log."""
        request_id: str = request.state.request_id  # the guard's
        headers = {name: request.headers[name] for name in TRACE_HEADERS if name in request.headers}
        deadline = time.monotonic() + self._timeout_seconds
        ctx = RequestContext(route, "rest", deadline, request_id, trace_headers=headers)
        request.state.ctx = ctx
        return ctx

    async def parse(self, request: Request, schema: type[R], *, empty: bytes = b"") -> R:
        """The body, held against a schema; `empty` is what an empty one stands for."""
        body = await read_body(request, self._max_body_bytes, self._receive_timeout_seconds)
        fields = validated(lambda: schema.model_validate_json(body or empty, extra=self.extra_fields))
        request.state.ctx.asked(fields)
        return fields

    async def body(self, request: Request) -> bytes:
        """The body as it is."""
        return await read_body(request, self._max_body_bytes, self._receive_timeout_seconds)

    async def observed(
        self, request: Request, route: Route, work: Callable[[RequestContext], Awaitable[T]]
    ) -> tuple[T, RequestContext]:
        """Run a call's work inside its observation, for as long as the client waits."""
        ctx = self.new_context(request, route)
        with self._metrics.observe(ctx):
            return await while_connected(request, work(ctx)), ctx

    async def observed_body(
        self,
        request: Request,
        route: Route,
        schema: type[R],
        work: Callable[[R, RequestContext], Awaitable[T]],
        *,
        empty: bytes = b"",
    ) -> tuple[T, RequestContext]:
        """The same for work on a body, which is all read before; `empty` as in `parse`."""
        ctx = self.new_context(request, route)
        with self._metrics.observe(ctx):
            fields = await self.parse(request, schema, empty=empty)
            return await while_connected(request, work(fields, ctx)), ctx

    async def answer(
        self,
        request: Request,
        route: Route,
        schema: type[R],
        work: Callable[[R, RequestContext], Awaitable[BaseModel]],
        *,
        status: int = 200,
    ) -> Response:
        """A whole answer to a body."""
        answer, ctx = await self.observed_body(request, route, schema, work)
        return as_json(answer, ctx, status=status)

    async def streamed(
        self,
        request: Request,
        ctx: RequestContext,
        pieces: AsyncGenerator[C],
        *,
        observed: ExitStack,
        include_usage: bool,
        headers: Mapping[str, str],
    ) -> Response:
        """An answer by server-sent events; `observed` is closed with it."""
        source = observed_pieces(pieces, observed)
        # What is wrong with the request is known with the first piece, while a status can still say so.
        first = await while_connected(request, anext(source))
        response = EventStream(events(first, source, include_usage=include_usage), source)
        response.headers.update({**call_headers(ctx), **headers})
        return response


def as_json(
    answer: BaseModel, ctx: RequestContext, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer and the headers that go with it."""
    own = {**call_headers(ctx), **timing_headers(ctx)}
    return Response(answer.model_dump_json(), status, media_type=JSON, headers={**own, **(headers or {})})


def call_headers(ctx: RequestContext) -> dict[str, str]:
    """What every answer says of its call."""
    version = {"X-Model-Version": ctx.version} if ctx.version else {}
    trace = {"traceparent": ctx.trace.traceparent} if ctx.trace is not None else {}
    return {"X-Request-Id": ctx.request_id, **version, **trace}


def timing_headers(ctx: RequestContext) -> dict[str, str]:
    """Where a whole answer's time went, in milliseconds, and its characters.

    The names are text-generation-inference's; it sends whole milliseconds, which is too coarse here.
    """
    total = time.monotonic() - ctx.started
    return {
        "X-Total-Time": f"{1000 * total:.3f}",
        "X-Queue-Time": f"{1000 * ctx.queue_seconds:.3f}",
        "X-Inference-Time": f"{1000 * ctx.inference_seconds:.3f}",
        "X-Prompt-Tokens": str(ctx.num_given),
        "X-Generated-Tokens": str(ctx.num_sampled),
    }


async def observed_pieces(pieces: AsyncGenerator[C], observed: ExitStack) -> AsyncGenerator[C]:
    """The pieces, inside the observation of their call."""
    with observed:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece


class PlainRoute(APIRoute):
    """Routes a request to a handler that takes the request and returns the response.

    FastAPI's own route would resolve dependencies, validate and serialise for each request; what is needed of
    that `RestHandler` does.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


def plain_router(**options: Any) -> APIRouter:
    """A router of such routes."""
    return APIRouter(route_class=PlainRoute, **options)
