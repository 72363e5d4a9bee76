"""Chooses who answers a command: a model file in this process, or a server by its address."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import click

from nextchar.client.parts import shift_error, shift_indices
from nextchar.errors import NextcharError
from nextchar.schemas.base import validated
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse

API_KEY = "NEXTCHAR_API_KEY"
_BATCH_STRINGS = 4096  # strings of a file that are scored together

url_option = click.option(
    "--url",
    help=f"The server to use, http://host:port or grpc://host:port. {API_KEY} holds the API key.",
)


class AnswerSource(Protocol):
    """Answers the requests of the commands."""

    def scores(
        self, strings: Iterable[str], *, whole: bool, arguments: dict[str, Any]
    ) -> AsyncGenerator[ScoreResponse]:
        """Scores any number of strings in batches; in one batch if `whole`: they are in memory anyway."""
        ...

    async def next(self, text: str, top: int) -> NextResponse: ...

    def stream(self, prompt: str, arguments: dict[str, Any]) -> AsyncGenerator[Completion]: ...


def run_with(
    model: str, url: str | None, precision: str, route: Any, work: Callable[[AnswerSource], Awaitable[None]]
) -> None:
    """Runs `work(source)` with the source that `url` or `model` names.

    Raises:
        NextcharError: the model cannot be opened, the server cannot be reached, or `work` raises it.
    """
    if url is not None:
        asyncio.run(_with_server(model, url, work))
        return
    from nextchar.entrypoints.offline import run_offline
    from nextchar.request_context import RequestContext
    from nextchar.service.service import Service

    async def offline(service: Service, name: str, ctx: RequestContext) -> None:
        await work(_Offline(service, name, ctx))

    run_offline(Path(model), precision, route, offline)  # type: ignore[arg-type] # click has checked it


async def _with_server(model: str, url: str, work: Callable[[AnswerSource], Awaitable[None]]) -> None:
    from nextchar.client import AsyncClient

    async with AsyncClient(url, api_key=os.environ.get(API_KEY) or None) as client:
        await work(_Server(client, model))


class _Server:
    def __init__(self, client: Any, model: str) -> None:
        self._client, self._model = client, model

    def scores(
        self, strings: Iterable[str], *, whole: bool, arguments: dict[str, Any]
    ) -> AsyncGenerator[ScoreResponse]:
        del whole
        answers: AsyncGenerator[ScoreResponse] = self._client.score_batches(
            strings, model=self._model, **arguments
        )
        return answers

    async def next(self, text: str, top: int) -> NextResponse:
        answer: NextResponse = await self._client.next(text, model=self._model, top=top)
        return answer

    def stream(self, prompt: str, arguments: dict[str, Any]) -> AsyncGenerator[Completion]:
        pieces: AsyncGenerator[Completion] = self._client.stream(prompt, model=self._model, **arguments)
        return pieces


class _Offline:
    def __init__(self, service: Any, model: str, ctx: Any) -> None:
        self._service, self._model, self._ctx = service, model, ctx

    async def scores(
        self, strings: Iterable[str], *, whole: bool, arguments: dict[str, Any]
    ) -> AsyncGenerator[ScoreResponse]:
        rest, first = iter(strings), 0
        while batch := list(rest if whole else islice(rest, _BATCH_STRINGS)):
            fields = {"model": self._model, "input": batch, **arguments}
            request = validated(partial(ScoreRequest.model_validate, fields))
            try:
                answer: ScoreResponse = await self._service.scorer.score(request, self._ctx)
            except NextcharError as error:
                raise shift_error(error, first)  # noqa: B904 it is the same
            yield shift_indices(answer, first)
            first += len(batch)

    async def next(self, text: str, top: int) -> NextResponse:
        request = validated(lambda: NextRequest(model=self._model, input=text, top=top))
        answer: NextResponse = await self._service.predictor.next(request, self._ctx)
        return answer

    def stream(self, prompt: str, arguments: dict[str, Any]) -> AsyncGenerator[Completion]:
        fields = {**arguments, "model": self._model, "prompt": prompt, "stream": True}
        request = validated(lambda: CompletionRequest.model_validate(fields))
        pieces: AsyncGenerator[Completion] = self._service.completer.stream(request, self._ctx)
        return pieces
