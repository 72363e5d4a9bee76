"""Scores strings after a state and a context, each by itself."""

import numpy as np

from nextchar.model.strings import Ids
from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import ScoreRequest, ScoreResponse
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_NOTHING: Ids = np.empty(0, dtype=np.int64)


class SeparateScorer:
    """Scores strings in lanes of their own, none after another; raises what `Service` raises.

    The context is read once. With an adaptive state it is learned, and each string with a memory of its own.
    """

    def __init__(self, validation: Validation, runner: ScoreRunner, metrics: Metrics) -> None:
        self._validation, self._runner, self._metrics = validation, runner, metrics

    async def score(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> tuple[ScoreResponse, SessionState]:
        """Returns the scores after a state, and the state after the context, which is before the strings."""
        context = self._validation.encode_next(
            request.context, model=model, ctx=ctx, param="context", after_return=state.here.after_return
        )
        ids, learned = context.ids, state.here.memory is not None
        encoded = await self._runner.encoded(request, model, context, ctx, learned=learned)
        self._metrics.observe_size(ctx, len(ids))
        fed = await SessionStepper(model, ctx, self._metrics).feed(
            state, ids, after_return=context.after_return
        )
        self._metrics.count_chars(ctx, fed=len(ids))
        here = fed.state.here
        answer = await self._runner.score_encoded(
            request, model, encoded, _NOTHING, here.state, ctx, memory=here.memory
        )
        update: dict[str, object] = {"usage": make_usage(answer.usage.prompt_tokens + len(ids))}
        if len(ids):
            update["begins_after"] = "context"  # which was read before, so that the state is after it
        return answer.model_copy(update=update), fed.state
