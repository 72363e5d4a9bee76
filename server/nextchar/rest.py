"""The REST door: translates HTTP to calls of the service, and nothing else."""

import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import ExitStack, aclosing
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from nextchar.call import Call, Route, make_request_id
from nextchar.errors import NextcharError
from nextchar.rest_body import read_body, while_connected
from nextchar.rest_errors import answer_bug, answer_error, answer_http_error
from nextchar.rest_info import info_routes
from nextchar.schemas import (
    Completion,
    CompletionRequest,
    NextRequest,
    NextResponse,
    ScoreRequest,
    ScoreResponse,
    validated,
)
from nextchar.service import Service
from nextchar.sse import EventStream, events
from nextchar.version import __version__

R = TypeVar("R", bound=BaseModel)
_JSON = "application/json"


class RestDoor:
    """The handlers; `app` is the ASGI application."""

    def __init__(self, service: Service, *, max_body_bytes: int, request_timeout_seconds: float) -> None:
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = request_timeout_seconds
        self.app = FastAPI(
            title="nextchar",
            version=__version__,
            summary="Scores, distributions and completions from character-level recurrent language models.",
        )
        self.app.add_exception_handler(NextcharError, answer_error)
        self.app.add_exception_handler(HTTPException, answer_http_error)
        self.app.add_exception_handler(Exception, answer_bug)
        self._route("/v1/score", self._score, ScoreRequest, ScoreResponse)
        self._route("/v1/next", self._next, NextRequest, NextResponse)
        self._route("/v1/completions", self._complete, CompletionRequest, Completion)
        self.app.include_router(info_routes(service))

    def _route(
        self,
        path: str,
        handler: Callable[[Request], Coroutine[Any, Any, Response]],
        body: type[BaseModel],
        answer: type[BaseModel],
    ) -> None:
        # pydantic parses the body from its bytes, strictly and in one pass; FastAPI is only told of it.
        schema = {"requestBody": {"required": True, "content": {_JSON: {"schema": body.model_json_schema()}}}}
        self.app.post(
            path,
            response_model=answer,
            openapi_extra=schema,
            description=body.__doc__,
            name=handler.__name__.strip("_"),
        )(handler)

    async def _score(self, request: Request) -> Response:
        return await self._answer(request, "score", ScoreRequest, self._service.score)

    async def _next(self, request: Request) -> Response:
        return await self._answer(request, "next", NextRequest, self._service.next)

    async def _answer(
        self,
        request: Request,
        route: Route,
        schema: type[R],
        work: Callable[[R, Call], Coroutine[Any, Any, BaseModel]],
    ) -> Response:
        call = self._call(request, route)
        with self._service.metrics.observe(call):
            body = await self._parse(request, schema)
            answer = await while_connected(request, work(body, call))
        return _json(answer, call)

    async def _complete(self, request: Request) -> Response:
        call = self._call(request, "complete")
        with ExitStack() as observed:
            observed.enter_context(self._service.metrics.observe(call))
            body = await self._parse(request, CompletionRequest)
            if not body.stream:
                return _json(await while_connected(request, self._service.complete(body, call)), call)
            pieces = _observed(self._service.stream(body, call), observed.pop_all())
        # What is wrong with the request is known with the first piece, while a status can still say so.
        first = await while_connected(request, anext(pieces))
        source = events(first, pieces, include_usage=body.stream_options.include_usage)
        response = EventStream(source, pieces)
        response.headers["X-Request-Id"] = call.request_id
        return response

    async def _parse(self, request: Request, schema: type[R]) -> R:
        body = await read_body(request, self._max_body_bytes)
        return validated(lambda: schema.model_validate_json(body))

    def _call(self, request: Request, route: Route) -> Call:
        request_id = request.state.request_id = make_request_id(request.headers.get("x-request-id"))
        return Call(route, "rest", time.monotonic() + self._timeout_seconds, request_id)


def _json(answer: BaseModel, call: Call) -> Response:
    headers = {"X-Request-Id": call.request_id, "X-Model-Version": call.version}
    return Response(answer.model_dump_json(), media_type=_JSON, headers=headers)


async def _observed(pieces: AsyncGenerator[Completion], observed: ExitStack) -> AsyncGenerator[Completion]:
    """The pieces, inside the observation of their call."""
    with observed:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
