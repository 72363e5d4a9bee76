"""Calls of gRPC that read a stream of requests: answers in order, a few at work, no more read than that."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import grpc

from nextchar.errors import InvalidRequest, QueueFull
from nextchar.pb import nextchar_pb2 as pb
from nextchar.request_context import RequestContext
from nextchar.rpc.handler import RpcHandler
from nextchar.schemas.base import validated
from nextchar.schemas.protobuf import to_fields, to_message
from nextchar.schemas.score import ScoreRequest, ScoreResponse
from nextchar.telemetry.metrics import Metrics

T = TypeVar("T")
MAX_AT_WORK = 4  # messages: enough that engines never wait for the network, few enough that memory stays flat
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 1.0

Score = Callable[[ScoreRequest, RequestContext], Awaitable[ScoreResponse]]


async def ordered_results(
    works: AsyncIterator[Coroutine[Any, Any, T]], max_at_work: int
) -> AsyncGenerator[T]:
    """The results of works in their order, as many at work as may be; a work is not asked for before.

    What a work, or asking for one, raises is raised in its turn. Closing it cancels what is at work.
    """
    room = asyncio.Semaphore(max_at_work)
    begun: asyncio.Queue[asyncio.Future[T] | None] = asyncio.Queue()
    tasks: set[asyncio.Task[T]] = set()

    async def begin() -> None:
        try:
            await room.acquire()
            async for work in works:
                task = asyncio.create_task(work)
                tasks.add(task)
                begun.put_nowait(task)
                await room.acquire()
        finally:
            begun.put_nowait(None)

    beginning = asyncio.create_task(begin())
    try:
        while (task := await begun.get()) is not None:
            yield await task
            tasks.discard(task)
            room.release()
        await beginning
    finally:
        for each in (beginning, *tasks):
            each.cancel()
        await asyncio.gather(beginning, *tasks, return_exceptions=True)


class ScoreStream:
    """The handler of one stream of strings to score.

    The first message says how all of them are scored; an answer comes for every message, in order, and its
    indices count on from the first string of the stream. A full line of the model is waited out: the client
    is held back, by not reading on, not refused.
    """

    def __init__(
        self, score: Score, calls: RpcHandler, metrics: Metrics, context: grpc.aio.ServicerContext
    ) -> None:
        self._score, self._calls, self._metrics, self._context = score, calls, metrics, context
        self._first: dict[str, Any] | None = None
        self._num_strings = 0

    async def answers(self, messages: AsyncIterator[pb.ScoreRequest]) -> AsyncGenerator[pb.ScoreResponse]:
        scored = ordered_results(self._works(messages), MAX_AT_WORK)
        async with self._calls.ended_by_errors(self._context), aclosing(scored) as answers:
            async for answer in answers:
                yield answer

    async def _works(
        self, messages: AsyncIterator[pb.ScoreRequest]
    ) -> AsyncGenerator[Coroutine[Any, Any, pb.ScoreResponse]]:
        async for message in messages:
            request = self._request(message)
            yield self._answer(request, self._num_strings)
            self._num_strings += len(request.input)

    def _request(self, message: pb.ScoreRequest) -> ScoreRequest:
        self._calls.check_fields(message)
        fields = to_fields(message)
        if self._first is None:
            self._first = {name: value for name, value in fields.items() if name != "input"}
        elif more := sorted(fields.keys() - {"input"}):
            raise InvalidRequest(f"{more[0]} belongs in the first message of the stream", param=more[0])
        given = self._first | fields
        return validated(lambda: ScoreRequest.model_validate(given))

    async def _answer(self, request: ScoreRequest, first_index: int) -> pb.ScoreResponse:
        """One message's answer, within the deadline of the call and the server's own for each message."""
        wait_seconds = _FIRST_WAIT_SECONDS
        latest = self._calls.new_context(self._context, "score").deadline
        while True:
            ctx = self._calls.new_context(self._context, "score")
            try:
                with self._metrics.observe(ctx):
                    answer = to_message(await self._score(request, ctx), pb.ScoreResponse)
                break
            except QueueFull:
                if time.monotonic() + wait_seconds > latest:
                    raise
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
        for item in answer.data:
            item.index += first_index
        return answer
