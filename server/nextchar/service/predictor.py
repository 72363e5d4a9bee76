"""Distributions of the next character, after a text or after a state that the client carries."""

from nextchar.engine.lane import Lane
from nextchar.request_context import RequestContext
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import NextRequest, NextResponse
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.client_state import ClientStateCalls, has_client_state
from nextchar.telemetry.metrics import Metrics


class Predictor:
    """Answers next-character requests."""

    def __init__(self, validation: Validation, client_states: ClientStateCalls, metrics: Metrics) -> None:
        self._validation, self._client_states, self._metrics = validation, client_states, metrics

    async def next(self, request: NextRequest, ctx: RequestContext) -> NextResponse:
        """Returns the distribution of the character after a text."""
        if has_client_state(request):
            return await self._client_states.next(request, ctx)
        model = self._validation.model(request.model, ctx)
        ids = self._validation.encode(request.input, model=model, ctx=ctx, param="input")
        self._metrics.observe_size(ctx, len(ids))
        lane = Lane(ids, wants_distribution=True)
        (deliveries,) = await run_to_end(model, [lane], ctx=ctx, metrics=self._metrics)
        distribution = deliveries[-1].distribution
        assert distribution is not None
        self._metrics.count_chars(ctx, fed=len(ids))
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(len(ids)),
        )
