"""Answers generate requests: completions under the names of the Open Inference Protocol's extension."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nextchar.repository.model import Model
from nextchar.schemas.base import validated
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.service.completer import Completer
from nextchar.service.inference.validation import Validation
from nextchar.service.oip.generate import to_completion, to_response
from nextchar.service.oip.schemas import GenerateRequest, GenerateResponse
from nextchar.telemetry.request_context import RequestContext


class Generator:
    """Continues a text, as `Completer` does, and raises what that raises."""

    def __init__(self, validation: Validation, completer: Completer) -> None:
        self._validation, self._completer = validation, completer

    async def generate(
        self, model_id: str, request: GenerateRequest, ctx: RequestContext
    ) -> GenerateResponse:
        """Returns the continuation as a whole."""
        completion = _completion(model_id, request, stream=False)
        model = self._validation.model(model_id, ctx)
        found = await self._completer.complete(completion, ctx, model=model)
        return _response(found, model, request)

    async def stream(
        self, model_id: str, request: GenerateRequest, ctx: RequestContext
    ) -> AsyncGenerator[GenerateResponse]:
        """Yields the continuation in pieces. Errors of the request are raised before the first."""
        completion = _completion(model_id, request, stream=True)
        model = self._validation.model(model_id, ctx)
        found: AsyncGenerator[Completion] = self._completer.stream(completion, ctx, model=model)
        async with aclosing(found) as pieces:
            async for piece in pieces:
                yield _response(piece, model, request)


def _completion(model_id: str, request: GenerateRequest, *, stream: bool) -> CompletionRequest:
    return validated(lambda: to_completion(request, model_id, stream=stream))


def _response(piece: Completion, model: Model, request: GenerateRequest) -> GenerateResponse:
    vocabulary = model.graph.vocabulary
    return to_response(piece, vocabulary, details=request.wants_details, given_id=request.id)
