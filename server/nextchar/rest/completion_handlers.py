"""Answers requests for completions and samples, whole or as server-sent events."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from pydantic import BaseModel

from nextchar.rest.route import Handler, RestCall
from nextchar.rest.sse import EventStream, events
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.sessions import SampleRequest
from nextchar.telemetry.request_context import RequestContext

Sampling = TypeVar("Sampling", CompletionRequest, SampleRequest)


def completions(
    complete: Callable[[CompletionRequest, RequestContext], Awaitable[Completion]],
    stream: Callable[[CompletionRequest, RequestContext], AsyncGenerator[Completion]],
) -> Handler[CompletionRequest, BaseModel | EventStream]:
    """Makes the handler of completions from the use cases that answer whole and in pieces."""

    async def handle(call: RestCall[CompletionRequest]) -> BaseModel | EventStream:
        if call.body.stream:
            return await _streamed(call, stream(call.body, call.ctx))
        return await complete(call.body, call.ctx)

    return handle


def samples(
    sample: Callable[[str, SampleRequest, RequestContext], Awaitable[Completion]],
    stream: Callable[[str, SampleRequest, RequestContext], AsyncGenerator[Completion]],
) -> Handler[SampleRequest, BaseModel | EventStream]:
    """Makes the handler of samples of a session from the use cases that answer whole and in pieces."""

    async def handle(call: RestCall[SampleRequest]) -> BaseModel | EventStream:
        if call.body.stream:
            return await _streamed(call, stream(call.session_id, call.body, call.ctx))
        return await sample(call.session_id, call.body, call.ctx)

    return handle


async def _streamed(call: RestCall[Sampling], pieces: AsyncGenerator[Completion]) -> EventStream:
    return await call.streamed(pieces, partial(events, options=call.body.stream_options))
