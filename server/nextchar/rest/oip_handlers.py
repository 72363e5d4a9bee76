"""Answers requests of the Open Inference Protocol: metadata, infer, generate, generate_stream."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from nextchar.errors import NextcharError
from nextchar.rest.body import BodyRules
from nextchar.rest.handler import JSON, call_headers
from nextchar.rest.oip_body import HEADER_LENGTH, InferCall, answer_body, read_request
from nextchar.rest.route import RestCall, model_and_version
from nextchar.rest.sse import EventStream, event, unexpected
from nextchar.service.oip.schemas import GenerateRequest, GenerateResponse, model_id
from nextchar.service.service import Service

SEQUENCE = "sequence"
SCHEDULING = "X-Model-Scheduling"


def infer_body(request: Request, content: bytes, rules: BodyRules) -> InferCall:
    """Reads a body of tensors, as JSON or as bytes that follow it; the path names the model."""
    length = request.headers.get(HEADER_LENGTH)
    return read_request(content, length, *model_and_version(request), rules)


class OipHandlers:
    """Answers requests of one service. The name and the version of a model are in the path."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._models = service.model_metadata

    async def server_metadata(self, _request: Request) -> Response:
        """Returns the server's name, its version and its extensions of the protocol."""
        return JSONResponse(self._models.server())

    async def model_statistics(self, request: Request) -> Response:
        """Returns the statistics since the start of the server: of one version, of one model or of all."""
        return JSONResponse({"model_stats": self._models.statistics(*model_and_version(request))})

    async def model_metadata(self, request: Request) -> Response:
        """Returns the names, datatypes and shapes of the model's tensors."""
        return JSONResponse(self._models.metadata(*model_and_version(request)))

    async def model_ready(self, request: Request) -> Response:
        """Returns 200 if the model answers, else 503."""
        found = self._models.get(*model_and_version(request))
        return JSONResponse({"name": found.name, "ready": found.ready}, 200 if found.ready else 503)

    async def model_config(self, request: Request) -> Response:
        """Returns the configuration in Triton's terms; X-Model-Scheduling is `sequence` or `dynamic`."""
        scheduling = request.headers.get(SCHEDULING, SEQUENCE)
        return JSONResponse(self._models.config(*model_and_version(request), scheduling))

    async def infer(self, call: RestCall[InferCall]) -> Response:
        """Runs the model on tensors, as JSON or, as Triton's clients send them, as bytes that follow it."""
        call.ctx.input_seconds = call.read_seconds
        answer = await self._service.tensor_inference.infer(call.body.request, call.ctx)
        started = time.monotonic()
        content, head_bytes = answer_body(call.body.given, answer)
        call.ctx.output_seconds = time.monotonic() - started
        headers = call_headers(call.ctx)
        if head_bytes is None:
            return Response(content, media_type=JSON, headers=headers)
        headers[HEADER_LENGTH] = str(head_bytes)
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def generate(self, call: RestCall[GenerateRequest]) -> GenerateResponse:
        """Continues a text and returns the continuation as a whole."""
        return await self._service.generator.generate(_model_id(call), call.body, call.ctx)

    async def generate_stream(self, call: RestCall[GenerateRequest]) -> EventStream:
        """Continues a text and sends the continuation by server-sent events, without a [DONE] at the end."""
        pieces = self._service.generator.stream(_model_id(call), call.body, call.ctx)
        return await call.streamed(pieces, _events)


async def _events(pieces: AsyncIterator[GenerateResponse]) -> AsyncGenerator[bytes]:
    """Yields an event for each piece; a stream that fails ends with an error's."""
    try:
        async for piece in pieces:
            yield event(piece.model_dump_json())
    except Exception as error:  # noqa: BLE001 - the status is already sent, so the error must be an event
        known = error if isinstance(error, NextcharError) else unexpected(error)
        yield event(json.dumps({"error": known.message}))


def _model_id(call: RestCall[GenerateRequest]) -> str:
    """Returns the id of the model that the path names, and the body too, if it does."""
    return model_id(*call.body.named(*call.model_and_version))
