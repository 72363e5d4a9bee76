"""Answers next-character requests: after a text, and before it a state that the client keeps."""

from nextchar.schemas.base import make_usage
from nextchar.schemas.score import NextRequest, NextResponse
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.client_state import ClientStates
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


class Predictor:
    """Predicts the next character."""

    def __init__(self, validation: Validation, client_states: ClientStates, metrics: Metrics) -> None:
        self._validation, self._client_states, self._metrics = validation, client_states, metrics

    async def next(self, request: NextRequest, ctx: RequestContext) -> NextResponse:
        """Returns the distribution of the character after a text, and the state there if it is wanted."""
        model, state = self._client_states.open(request, ctx)
        text = self._validation.encode_next(
            request.input, model=model, ctx=ctx, param="input", after_return=state.here.after_return
        )
        ids = text.ids
        self._validation.check_distributions(
            1, request.top, model, ctx, learned=state.here.memory is not None
        )
        self._metrics.observe_size(ctx, len(ids))
        stepper = SessionStepper(model, ctx, self._metrics)
        if request.return_state:
            fed = await stepper.feed(state, ids, after_return=text.after_return, wants_distribution=True)
        else:
            fed = await stepper.prediction(state, ids)
        distribution = fed.next_logprobs
        self._metrics.count_chars(ctx, fed=len(ids))
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top, fed.model_distribution),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(len(ids)),
            case_folding=model.graph.vocabulary.told_folding,
            state=self._client_states.seal(request, model, fed.state, ctx),
        )
