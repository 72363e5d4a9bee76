"""`Client` without blocking."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from nextchar.client import operations as asks
from nextchar.client.endpoint import Endpoint
from nextchar.client.errors_and_retries import Retries
from nextchar.client.operations import (
    A,
    C,
    CompareArguments,
    Operation,
    Prompt,
    SamplingArguments,
    ScoreArguments,
)
from nextchar.client.session import AsyncSession
from nextchar.client.streams import counted_on, in_messages
from nextchar.errors import NextcharError
from nextchar.schemas.compare import CompareResponse
from nextchar.schemas.completion import Completion
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.score import NextResponse, Score, ScoreResponse
from nextchar.schemas.sessions import SessionList
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse

if TYPE_CHECKING:
    from nextchar.client.grpc_transport import RpcAsync
    from nextchar.client.rest_transport import RestAsync

_TIMEOUT_SECONDS = 60.0


class AsyncClient(AbstractAsyncContextManager["AsyncClient"]):
    """As `nextchar.client.Client`; for one event loop."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 it is frozen
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._retries, self._sleep = retries, sleep
        place = Endpoint(url, api_key, ca_file, certificate)
        self._rpc, self._door = _door(place, timeout_seconds)

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._door.close()

    async def score(
        self, strings: list[str], *, model: str, **arguments: Unpack[ScoreArguments]
    ) -> ScoreResponse:
        """log p of each string."""
        return await self.ask(asks.score(strings, model, arguments))

    async def score_stream(
        self, strings: Iterable[str], *, model: str, **arguments: Unpack[ScoreArguments]
    ) -> AsyncGenerator[Score]:
        """log p of any number of strings, in order, taken as answers come; indices count on."""
        async with aclosing(self.score_batches(strings, model=model, **arguments)) as answers:
            async for answer in answers:
                for item in answer.data:
                    yield item

    async def score_batches(
        self, strings: Iterable[str], *, model: str, **arguments: Unpack[ScoreArguments]
    ) -> AsyncGenerator[ScoreResponse]:
        """The same by messages: one ScoreStream of gRPC, or call after call of REST."""
        each = (asks.score(batch, model, arguments) for batch in in_messages(strings))
        if self._rpc is not None:
            async with aclosing(self._rpc.score_stream(each)) as answers:
                async for answer in answers:
                    yield answer
            return
        first = 0
        for ask in each:
            answer = await self.ask(ask)
            yield counted_on(answer, first)
            first += len(answer.data)

    async def compare(
        self, strings: list[str], *, model: str, **arguments: Unpack[CompareArguments]
    ) -> CompareResponse:
        """Candidates, the best first; with a reference_model by likelihood ratio."""
        return await self.ask(asks.compare(strings, model, arguments))

    async def tokenize(self, text: str, *, model: str | None = None) -> TokenizeResponse:
        """A text's ids."""
        return await self.ask(asks.tokenize(text, model))

    async def detokenize(self, ids: list[int], *, model: str | None = None) -> DetokenizeResponse:
        """The text of ids."""
        return await self.ask(asks.detokenize(ids, model))

    async def limits(self) -> LimitsResponse:
        """How much may be asked for."""
        return await self.ask(asks.limits())

    async def next(
        self, text: str = "", *, model: str, top: int | None = None, state: bytes | None = None
    ) -> NextResponse:
        """The distribution of the character after a text."""
        return await self.ask(asks.next_(text, model, top, state))

    async def complete(
        self, prompt: Prompt = "", *, model: str, **arguments: Unpack[SamplingArguments]
    ) -> Completion:
        """A text to go on with, whole."""
        return await self.ask(asks.complete(prompt, model, arguments, stream=False))

    def stream(
        self, prompt: Prompt = "", *, model: str, **arguments: Unpack[SamplingArguments]
    ) -> AsyncGenerator[Completion]:
        """The same, as it is sampled; closing the generator ends it over there."""
        return self.pieces(asks.complete(prompt, model, arguments, stream=True))

    async def session(self, *, model: str, keep: bool = False, **fields: Any) -> AsyncSession:
        """A new session, with session_id, prime, seed, ttl_seconds; it ends with its context unless kept."""
        made = await self.ask(asks.create_session({"model": model, **fields}))
        return AsyncSession(self, made, keep=keep)

    async def open_session(self, session_id: str, *, keep: bool = True) -> AsyncSession:
        """A session that is there."""
        return AsyncSession(self, await self.ask(asks.SessionOperations(session_id).get()), keep=keep)

    async def list_sessions(self, *, after: str = "", limit: int = 100) -> SessionList:
        """A page of the caller's sessions."""
        return await self.ask(asks.list_sessions(after, limit))

    async def ask(self, ask: Operation[A]) -> A:
        """One call, with its retries."""
        for attempt in count(1):
            try:
                return await self._door.call(ask)
            except NextcharError as error:
                await self._wait_or_raise(error, attempt, ask)
        raise AssertionError

    async def pieces(self, ask: Operation[C]) -> AsyncGenerator[C]:
        """A stream, with retries up to its first piece."""
        for attempt in count(1):
            begun = False
            try:
                async with aclosing(self._door.stream(ask)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except NextcharError as error:
                if begun:
                    raise
                await self._wait_or_raise(error, attempt, ask)

    async def _wait_or_raise(self, error: NextcharError, attempt: int, ask: Operation[Any]) -> None:
        wait = self._retries.wait_seconds(error, attempt=attempt, repeatable=ask.repeatable)
        if wait is None:
            raise error
        await self._sleep(wait)


# Neither door is imported for the other's sake.
def _door(place: Endpoint, timeout_seconds: float) -> "tuple[RpcAsync | None, RpcAsync | RestAsync]":
    if place.is_grpc:
        from nextchar.client.grpc_transport import RpcAsync

        rpc = RpcAsync(place, timeout_seconds)
        return rpc, rpc
    from nextchar.client.rest_transport import RestAsync

    return None, RestAsync(place, timeout_seconds)
