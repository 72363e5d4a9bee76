"""Answers streams of requests in order, with a bounded number of requests in progress."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest, QueueFull
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.handler import RpcHandler, as_message
from nextchar.rpc.method import Context
from nextchar.schemas.base import validated
from nextchar.schemas.judging import JudgeRequest
from nextchar.schemas.protobuf import to_fields
from nextchar.schemas.score import ScoreRequest
from nextchar.telemetry.request_context import RequestContext, Route

T = TypeVar("T")
MAX_AT_WORK = 4  # messages: enough that engines do not wait for the network, few enough to bound memory
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 1.0

ScoreUseCase = Callable[[Any, RequestContext], Awaitable[BaseModel]]
ScoreStreamUseCase = Callable[[], AbstractContextManager[ScoreUseCase]]


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What the messages of a stream ask for: their schema, the message of an answer, the route in metrics."""

    schema: type[BaseModel]
    answer_type: type[Message]
    label: Route


SCORES = StreamKind(ScoreRequest, pb.ScoreResponse, "score")
VERDICTS = StreamKind(JudgeRequest, pb.JudgeResponse, "judge")


async def ordered_results(
    works: AsyncIterator[Coroutine[Any, Any, T]], max_at_work: int
) -> AsyncGenerator[T]:
    """Yields the results of works in their order; at most `max_at_work` are started, or taken from `works`.

    What a work, or taking one, raises is raised in its place. Closing the generator cancels started works.
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


class ScoreStreams:
    """Answers streams of strings to score, or to judge.

    The first message says how all strings are scored. Every message has an answer, in order, whose indices
    count from the first string of the stream. All have the model that the first had, whatever is loaded and
    unloaded meanwhile. While the queue of the model is full, no more messages are read, where `ScoreUseCase`
    would be refused.
    """

    def __init__(self, stream: ScoreStreamUseCase, handler: RpcHandler, kind: StreamKind = SCORES) -> None:
        self._stream, self._handler, self._kind = stream, handler, kind

    async def answers(self, messages: AsyncIterator[Message], context: Context) -> AsyncGenerator[Message]:
        """Yields the answers to the messages of one stream."""

        async def works() -> AsyncGenerator[Coroutine[Any, Any, Message]]:
            first: dict[str, Any] | None = None
            num_strings = 0
            turn = asyncio.Lock()  # those that wait for it get it in their order
            async for message in messages:
                try:
                    request, first = self._read(message, first)
                except InvalidRequest as error:
                    yield self._refuse(error, message, context)  # in its turn, and the last one
                    return
                answer = partial(self._answer, score, request, num_strings, message, context)
                # That of a text that is learned goes on where the message before it has ended.
                yield answer() if request.adaptive is None else _in_turn(turn, answer)
                num_strings += len(request.input)

        with self._stream() as score:
            async with aclosing(ordered_results(works(), MAX_AT_WORK)) as answers:
                async for answer in answers:
                    yield answer

    def _read(self, message: Message, first: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
        """Reads a message as a request with the fields of the first one, which are also returned.

        Raises:
            InvalidRequest: a field is invalid, or belongs in the first message.
        """
        self._handler.check_fields(message)
        fields = to_fields(message)
        if first is None:
            first = {name: value for name, value in fields.items() if name != "input"}
        elif more := sorted(fields.keys() - {"input"}):
            raise InvalidRequest(
                f"{more[0]} must be set in the first message of the stream only", param=more[0]
            )
        given = first | fields
        return validated(lambda: self._kind.schema.model_validate(given)), first

    async def _refuse(self, error: InvalidRequest, message: Message, context: Context) -> Message:
        def read() -> None:
            raise error

        with self._handler.observed(self._kind.label, read, message, context):
            raise AssertionError("it was refused")

    async def _answer(
        self,
        score: ScoreUseCase,
        request: Any,
        first_index: int,
        message: Message,
        context: Context,
    ) -> Message:
        """Scores one message, which is one request however often it is tried."""
        with self._handler.observed(self._kind.label, lambda: request, message, context) as call:
            call.ctx.num_at_once = MAX_AT_WORK
            scores = await self._scored(score, request, call.ctx)
            answer: Any = await as_message(scores, self._kind.answer_type, call.ctx)
        for item in answer.data:
            item.index += first_index
        found: Message = answer
        return found

    async def _scored(self, score: ScoreUseCase, request: Any, ctx: RequestContext) -> BaseModel:
        """Scores a request; retries while the queue is full, until its deadline."""
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await score(request, ctx)
            except QueueFull:
                if time.monotonic() + wait_seconds > ctx.deadline:
                    raise
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)


async def _in_turn(turn: asyncio.Lock, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Does a work when those that have asked for the turn before it have ended."""
    async with turn:
        return await work()
