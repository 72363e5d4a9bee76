"""Reads, validates, observes and answers the requests of a route."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from nextchar.errors import NextcharError
from nextchar.rest.body import BodyRules, check_is_json, read_body, while_connected
from nextchar.rest.errors import session_header
from nextchar.rest.http.half_close import HAS_CLIENT
from nextchar.rest.route import RestCall, RestRoute
from nextchar.rest.sse import EventStream
from nextchar.schemas.item_limits import DEFAULT_ITEMS, ItemLimits
from nextchar.schemas.json_pieces import IN_PIECES_BYTES, json_pieces
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import TRACE_HEADERS, RequestContext, make_context

JSON = "application/json"


class RestHandler:
    """Makes the ASGI endpoint of each route; the only place where the context of a REST request is made."""

    def __init__(
        self,
        metrics: Metrics,
        items: ItemLimits = DEFAULT_ITEMS,
        *,
        max_body_bytes: int,
        request_timeout_seconds: float,
        receive_timeout_seconds: float = 20.0,
        lenient_fields: bool = False,
    ) -> None:
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = request_timeout_seconds
        self._receive_timeout_seconds = receive_timeout_seconds
        self._rules = BodyRules(items, "ignore" if lenient_fields else None)

    def endpoint(self, route: RestRoute) -> Callable[[Request], Awaitable[Response]]:
        """Makes the endpoint that answers the requests of a route."""
        if route.label is None:
            return route.handle

        async def answer(request: Request) -> Response:
            return await self._answer(route, request)

        return answer

    async def _answer(self, route: RestRoute, request: Request) -> Response:
        """Answers one request, for as long as its client is connected."""
        started = time.monotonic()
        body, refused, read_seconds = await self._read(route, request)
        ctx = self._make_context(route, request, body, started)
        with ExitStack() as observed:
            observed.enter_context(self._metrics.observe(ctx))
            if refused is not None:
                raise refused
            call = RestCall(request, body, ctx, observed, read_seconds)
            try:
                answer = await while_connected(request, route.handle(call))
            finally:
                request.state.session_id = ctx.session_id
        if isinstance(answer, EventStream):
            answer.headers.update(call_headers(ctx))
        if isinstance(answer, Response):
            return answer
        return as_json(answer, ctx, status=route.status)

    async def _read(self, route: RestRoute, request: Request) -> tuple[Any, NextcharError | None, float]:
        """Reads a request; also returns why it is refused, and the seconds from its bytes to its fields.

        The error is not raised here: the request is first given a context and observed.
        """
        content = b""
        try:
            if route.reads_body:
                if route.is_json:
                    check_is_json(request.headers)
                content = await read_body(request, self._max_body_bytes, self._receive_timeout_seconds)
            started = time.monotonic()
            body = None if route.read is None else route.read(request, content, self._rules)
        except NextcharError as error:
            return None, error, 0.0
        return body, None, time.monotonic() - started

    def _make_context(
        self, route: RestRoute, request: Request, body: object, started: float
    ) -> RequestContext:
        assert route.label is not None
        ctx = make_context(
            route.label,
            "rest",
            body,
            request_id=request.state.request_id,  # set by GuardMiddleware
            max_seconds=self._timeout_seconds,
            started=started,
            trace_headers={name: request.headers[name] for name in TRACE_HEADERS if name in request.headers},
        )
        ctx.has_client = request.scope.get("extensions", {}).get(HAS_CLIENT, ctx.has_client)
        return ctx


def as_json(answer: BaseModel, ctx: RequestContext, *, status: int = 200) -> Response:
    """Makes the response of an answer, with the headers that every answer has.

    One that may be large is written in pieces as its client reads them.
    """
    own = {**call_headers(ctx), **timing_headers(ctx)}
    if ctx.answer_bytes > IN_PIECES_BYTES:
        return StreamingResponse(_in_pieces(answer), status, own, JSON)
    return Response(answer.model_dump_json(), status, own, JSON)


async def _in_pieces(answer: BaseModel) -> AsyncGenerator[bytes]:
    for piece in json_pieces(answer):
        yield piece
        await asyncio.sleep(0)


def call_headers(ctx: RequestContext) -> dict[str, str]:
    """Returns the headers that name the request, the version of the model, the session and the trace."""
    version = {"X-Model-Version": ctx.version} if ctx.version else {}
    trace = {"traceparent": ctx.trace.traceparent} if ctx.trace is not None else {}
    return {"X-Request-Id": ctx.request_id, **version, **session_header(ctx.session_id), **trace}


def timing_headers(ctx: RequestContext) -> dict[str, str]:
    """Returns the headers that report the times of a whole answer in milliseconds, and its characters.

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
