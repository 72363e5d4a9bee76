"""The REST door: translates HTTP to calls of the service, and nothing else."""

from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from nextchar import __version__
from nextchar.errors import NextcharError
from nextchar.rest.body import while_connected
from nextchar.rest.docs_page import docs_routes
from nextchar.rest.errors import answer_bug, answer_error, answer_http_error
from nextchar.rest.handler import PlainRoute, RestHandler, as_json
from nextchar.rest.openapi import describe_with
from nextchar.rest.routes_info import info_routes
from nextchar.rest.routes_model_tools import model_tool_routes
from nextchar.rest.routes_oip import oip_routes
from nextchar.rest.routes_oip_info import oip_info_routes
from nextchar.rest.routes_repository import repository_routes
from nextchar.rest.routes_sessions import session_routes
from nextchar.schemas.compare import CompareRequest, CompareResponse
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.schemas.tokens import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from nextchar.service.service import Service


class RestApp:
    """The handlers; `app` is the ASGI application."""

    def __init__(
        self,
        service: Service,
        *,
        max_body_bytes: int,
        request_timeout_seconds: float,
        receive_timeout_seconds: float = 20.0,
        lenient_fields: bool = False,
    ) -> None:
        self._service = service
        self._calls = RestHandler(
            service.metrics,
            max_body_bytes=max_body_bytes,
            request_timeout_seconds=request_timeout_seconds,
            receive_timeout_seconds=receive_timeout_seconds,
            lenient_fields=lenient_fields,
        )
        self.app = FastAPI(
            title="nextchar",
            version=__version__,
            summary="Scores, distributions and completions from character-level recurrent language models.",
            docs_url=None,  # FastAPI's pages load scripts from elsewhere
            redoc_url=None,
        )
        self.app.router.route_class = PlainRoute
        self.app.add_exception_handler(NextcharError, answer_error)
        self.app.add_exception_handler(HTTPException, answer_http_error)
        self.app.add_exception_handler(Exception, answer_bug)
        self._route("/v1/score", self._score, ScoreRequest, ScoreResponse)
        self._route("/v1/compare", self._compare, CompareRequest, CompareResponse)
        self._route("/v1/next", self._next, NextRequest, NextResponse)
        self._route("/v1/completions", self._complete, CompletionRequest, Completion)
        self._route("/tokenize", self._tokenize, TokenizeRequest, TokenizeResponse)
        self._route("/detokenize", self._detokenize, DetokenizeRequest, DetokenizeResponse)
        self.app.include_router(session_routes(service.sessions, self._calls, service.metrics))
        self.app.include_router(info_routes(service, self._calls.shapes))
        self.app.include_router(model_tool_routes(service, self._calls))
        self.app.include_router(oip_info_routes(service, self._calls.shapes))
        self.app.include_router(oip_routes(service, self._calls))
        self.app.include_router(repository_routes(service.model_manager, self._calls))
        describe_with(self.app, self._calls.shapes)
        self.app.include_router(docs_routes(lambda: self.app.openapi()))

    def _route(
        self,
        path: str,
        handler: Callable[[Request], Coroutine[Any, Any, Response]],
        body: type[BaseModel],
        answer: type[BaseModel],
    ) -> None:
        # pydantic parses the body from its bytes, strictly and in one pass; FastAPI is only told of it.
        self.app.post(
            path,
            openapi_extra=self._calls.shapes.of(body, answer),
            description=body.__doc__,
            name=handler.__name__.strip("_"),
        )(handler)

    async def _score(self, request: Request) -> Response:
        return await self._calls.answer(request, "score", ScoreRequest, self._service.scorer.score)

    async def _compare(self, request: Request) -> Response:
        return await self._calls.answer(request, "compare", CompareRequest, self._service.comparer.compare)

    async def _tokenize(self, request: Request) -> Response:
        work = self._service.tokenizer.tokenize
        return await self._calls.answer(request, "tokenize", TokenizeRequest, work)

    async def _detokenize(self, request: Request) -> Response:
        work = self._service.tokenizer.detokenize
        return await self._calls.answer(request, "tokenize", DetokenizeRequest, work)

    async def _next(self, request: Request) -> Response:
        return await self._calls.answer(request, "next", NextRequest, self._service.predictor.next)

    async def _complete(self, request: Request) -> Response:
        ctx = self._calls.new_context(request, "complete")
        with ExitStack() as observed:
            observed.enter_context(self._service.metrics.observe(ctx))
            body = await self._calls.parse(request, CompletionRequest)
            headers = {} if body.session_id is None else {"X-Session-Id": body.session_id}
            if not body.stream:
                answer = await while_connected(request, self._service.completer.complete(body, ctx))
                return as_json(answer, ctx, headers=headers)
            pieces, observed = self._service.completer.stream(body, ctx), observed.pop_all()
        return await self._calls.streamed(
            request,
            ctx,
            pieces,
            observed=observed,
            include_usage=body.stream_options.include_usage,
            headers=headers,
        )
