"""Answers calls for completions, whole or as a stream."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from nextchar.rpc.method import RpcCall, StreamHandler
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.telemetry.request_context import RequestContext


def completions(
    complete: Callable[[CompletionRequest, RequestContext], Awaitable[Completion]],
    stream: Callable[[CompletionRequest, RequestContext], AsyncGenerator[Completion]],
) -> StreamHandler[CompletionRequest, Completion]:
    """Makes the handler of completions from the use cases that answer whole and in pieces."""

    async def handle(call: RpcCall[CompletionRequest]) -> AsyncGenerator[Completion]:
        if call.body.is_whole:
            yield await complete(call.body, call.ctx)
            return
        body = call.body.model_copy(update={"stream": True})
        async with aclosing(stream(body, call.ctx)) as pieces:
            async for piece in pieces:
                yield piece

    return handle
