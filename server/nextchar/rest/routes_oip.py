"""The REST routes of the Open Inference Protocol that run a model: infer, generate, generate_stream."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response

from nextchar.errors import NextcharError
from nextchar.request_context import RequestContext
from nextchar.rest.body import while_connected
from nextchar.rest.handler import JSON, RestHandler, observed_pieces, plain_router
from nextchar.rest.oip_body import HEADER_LENGTH, answer_body, read_request
from nextchar.rest.routes_oip_info import model_and_version
from nextchar.rest.sse import EventStream, event, unexpected
from nextchar.schemas.base import validated
from nextchar.schemas.completion import Completion
from nextchar.service.oip.generate import to_completion, to_response
from nextchar.service.oip.schemas import (
    GenerateRequest,
    GenerateResponse,
    InferBody,
    InferResponse,
)
from nextchar.service.service import Service

PATHS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")


class _Routes:
    """Handlers over one service. A model's name and version are in the path."""

    def __init__(self, service: Service, calls: RestHandler) -> None:
        self._service, self._calls = service, calls
        self.router = plain_router(tags=["open inference protocol"])
        for path in PATHS:
            self._add(path + "/infer", self._infer, InferBody, InferResponse)
            self._add(path + "/generate", self._generate, GenerateRequest, GenerateResponse)
            self._add(path + "/generate_stream", self._generate_stream, GenerateRequest, GenerateResponse)

    def _add(self, path: str, handler: Any, body: type[Any], answer: type[Any]) -> None:
        self.router.add_api_route(
            path,
            handler,
            methods=["POST"],
            openapi_extra=self._calls.shapes.of(body, answer),
            description=handler.__doc__,
            name=handler.__name__.strip("_"),
        )

    async def _infer(self, request: Request) -> Response:
        """Tensors in, tensors out, as JSON or, as Triton's clients send them, as bytes behind it."""
        model, version = model_and_version(request)
        ctx = self._calls.new_context(request, "infer")
        with self._service.metrics.observe(ctx):
            body = await self._calls.body(request)
            started = time.monotonic()
            given, asked = read_request(
                body,
                request.headers.get(HEADER_LENGTH),
                model,
                version,
                extra_fields=self._calls.extra_fields,
            )
            ctx.input_seconds = time.monotonic() - started
            answer = await while_connected(request, self._service.tensor_inference.infer(asked, ctx))
            started = time.monotonic()
            content, head_bytes = answer_body(given, answer)
            ctx.output_seconds = time.monotonic() - started
        headers = {"X-Request-Id": ctx.request_id, "X-Model-Version": ctx.version}
        if head_bytes is None:
            return Response(content, media_type=JSON, headers=headers)
        headers[HEADER_LENGTH] = str(head_bytes)
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def _generate(self, request: Request) -> Response:
        """Text that goes on, whole."""

        async def run(body: GenerateRequest, ctx: RequestContext) -> GenerateResponse:
            asked = validated(lambda: to_completion(body, _model_id(request), stream=False))
            found = await self._service.completer.complete(asked, ctx)
            return self._response(found, body)

        return await self._calls.answer(request, "generate", GenerateRequest, run)

    async def _generate_stream(self, request: Request) -> Response:
        """Text that goes on, as it is drawn, by server-sent events; it ends without a [DONE]."""
        ctx = self._calls.new_context(request, "generate")
        with ExitStack() as observed:
            observed.enter_context(self._service.metrics.observe(ctx))
            body = await self._calls.parse(request, GenerateRequest)
            asked = validated(lambda: to_completion(body, _model_id(request), stream=True))
            source = observed_pieces(self._service.completer.stream(asked, ctx), observed.pop_all())
        first = await while_connected(request, anext(source))
        response = EventStream(self._events(first, source, body), source)
        response.headers.update({"X-Request-Id": ctx.request_id, "X-Model-Version": ctx.version})
        return response

    async def _events(
        self, first: Completion, rest: AsyncIterator[Completion], body: GenerateRequest
    ) -> AsyncGenerator[bytes]:
        """An event for each piece; a stream that fails ends with an error's."""
        try:
            yield event(self._response(first, body).model_dump_json())
            async for piece in rest:
                yield event(self._response(piece, body).model_dump_json())
        except Exception as error:  # noqa: BLE001 - the status is sent: only an event can tell
            known = error if isinstance(error, NextcharError) else unexpected(error)
            yield event(json.dumps({"error": known.message}))

    def _response(self, piece: Completion, body: GenerateRequest) -> GenerateResponse:
        model = self._service.model_metadata.get(piece.model, piece.model_version)
        return to_response(piece, model.graph.vocabulary, details=body.parameters.details)


def _model_id(request: Request) -> str:
    model, version = model_and_version(request)
    return f"{model}:{version}" if version else model


def oip_routes(service: Service, calls: RestHandler) -> APIRouter:
    """The routes, over one service."""
    return _Routes(service, calls).router
