"""Answers score requests: from the begin symbol, or after a state that the client keeps."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from nextchar.repository.model import Model
from nextchar.schemas.base import make_usage
from nextchar.schemas.score import ScoreRequest, ScoreResponse
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.client_state import ClientStates, has_client_state
from nextchar.service.sessions.ordered_scorer import OrderedScorer
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


class Scorer:
    """Scores strings."""

    def __init__(
        self, validation: Validation, runner: ScoreRunner, client_states: ClientStates, metrics: Metrics
    ) -> None:
        self._validation, self._runner = validation, runner
        self._client_states, self._metrics = client_states, metrics
        self._ordered = OrderedScorer(validation, metrics)

    async def score(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """Returns log p of each string, from the begin symbol or after the state and the context."""
        if request.adaptive is not None:
            model, state = self._client_states.open(request, ctx)
            return (await self._score_in_order(request, model, state, ctx))[0]
        if has_client_state(request):
            return await self._score_after_state(request, ctx)
        return await self._runner.score(request, ctx)

    @contextmanager
    def stream(self) -> Iterator[Callable[[ScoreRequest, RequestContext], Awaitable[ScoreResponse]]]:
        """Yields a `score` for the requests of one stream, which all have the model of the first.

        It is held until the context ends: no version takes its place meanwhile, and it is not stopped. Of a
        text that is learned, each request goes on where the last has ended: they must come one by one.
        """
        held: list[Model] = []
        learned: list[SessionState] = []  # the state after the last message, if the text is learned

        async def score(request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
            if request.adaptive is not None:
                return await in_order(request, ctx)
            if has_client_state(request):  # which names its version itself
                return await self.score(request, ctx)
            if held:
                self._validation.use(held[0], ctx)
            else:
                held.append(self._validation.model(request.model, ctx))
                held[0].engine.hold()
            return await self._runner.score_with(held[0], request, ctx)

        async def in_order(request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
            if not held:
                model, state = self._client_states.open(request, ctx)
                model.engine.hold()
                held.append(model)
                learned.append(state)
            else:
                self._validation.use(held[0], ctx)
                if learned[0].here.position:  # the context was read with the first message
                    request = request.model_copy(update={"context": ""})
            answer, learned[0] = await self._score_in_order(request, held[0], learned[0], ctx)
            return answer

        try:
            yield score
        finally:
            for model in held:
                model.engine.release()

    async def _score_in_order(
        self, request: ScoreRequest, model: Model, state: SessionState, ctx: RequestContext
    ) -> tuple[ScoreResponse, SessionState]:
        """Returns the scores of strings that are one text, and the state after them."""
        answer, after = await self._ordered.score(request, model, state, ctx)
        sealed = self._client_states.seal(request, model, after, ctx)
        return answer.model_copy(update={"state": sealed}), after

    async def _score_after_state(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """Returns the scores and the state after the context, which is before the strings."""
        self._validation.check_strings(len(request.input))
        model, state = self._client_states.open(request, ctx)
        context = self._validation.encode_next(
            request.context, model=model, ctx=ctx, param="context", after_return=state.here.after_return
        )
        ids = context.ids
        self._metrics.observe_size(ctx, len(ids))
        fed = await SessionStepper(model, ctx, self._metrics).feed(
            state, ids, after_return=context.after_return
        )
        self._metrics.count_chars(ctx, fed=len(ids))
        nothing = replace(context, ids=np.empty(0, dtype=np.int64))
        here = fed.state.here
        answer = await self._runner.score_after(request, model, nothing, here.state, ctx, memory=here.memory)
        sealed = self._client_states.seal(request, model, fed.state, ctx)
        update: dict[str, object] = {"state": sealed}
        update["usage"] = make_usage(answer.usage.prompt_tokens + len(ids))
        if len(ids):
            update["begins_after"] = "context"  # which was read before, so that the state is after it
        return answer.model_copy(update=update)
