"""Completions that go on from a session's state: what is drawn, and the state they end in."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from nextchar.engine.lane import Lane
from nextchar.engine.work import Delivery, FinishReason
from nextchar.errors import InvalidRequest
from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference.completer import Completer, make_template
from nextchar.service.inference.completion_text import Prompt
from nextchar.service.inference.prompts import make_prompts
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics

Piece = tuple[Completion | None, SessionState | None]


class Continuation:
    """Runs completions of one model's states; raises as `Completer`."""

    def __init__(self, completer: Completer, validation: Validation, metrics: Metrics) -> None:
        self._completer, self._validation, self._metrics = completer, validation, metrics

    async def stream(
        self, model: Model, state: SessionState, request: SamplingFields, ctx: RequestContext
    ) -> AsyncGenerator[Piece]:
        """Pieces of the text after a state and a prompt; with the last comes the state after all of it.

        Without a seed of the request, the random numbers are the state's own and go on where it left off.
        """
        self._validation.check_max_tokens(request.max_tokens)
        prompt = self._prompt(model, request, ctx)
        self._metrics.observe_size(ctx, len(prompt.ids))
        seed, first_draw = state.seed, state.here.num_drawn
        if request.seed is not None:
            seed, first_draw = make_seed(request.seed), 0
        sampling = await self._completer.sampling(model, request, seed=seed, first_draw=first_draw)
        lane = Lane(prompt.ids, sampling=sampling, start=state.here.state, keeps_state=True)
        sample = self._completer.sample(model, lane, prompt, request)
        template, deliveries = make_template(model, ctx), list[Delivery]()
        async with aclosing(self._completer.run(model, [sample], ctx)) as run:
            async for _, delivery in run:
                deliveries.append(delivery)
                choice, end, usage = sample.text.add(delivery), None, None
                if delivery.last:
                    end = await self._end(model, state, lane, deliveries, ctx)
                    usage = make_usage(prompt.num_tokens, sample.text.num_drawn)
                piece = template.model_copy(update={"choices": [choice], "usage": usage})
                yield piece if choice.tells else None, end

    def _prompt(self, model: Model, request: SamplingFields, ctx: RequestContext) -> Prompt:
        if not isinstance(request, CompletionRequest):
            return Prompt(np.empty(0, dtype=np.int64), [])
        ctx.request_id = request.request_id or ctx.request_id
        (prompt,) = make_prompts(request, model, self._validation, ctx)
        if prompt.begins:
            raise InvalidRequest("prompt: begin is before any text, so not after a state", param="prompt")
        return prompt

    async def _end(
        self, model: Model, state: SessionState, lane: Lane, deliveries: list[Delivery], ctx: RequestContext
    ) -> SessionState:
        ids = np.concatenate([delivery.ids for delivery in deliveries])
        num_stop = sum(delivery.num_stop for delivery in deliveries)
        num_given, finish = len(lane.given), deliveries[-1].finish
        text = ids[: len(ids) - num_stop]  # a stop string is no part of what the client was given
        known = lane.state if finish in (FinishReason.LENGTH, FinishReason.GIVEN) else None
        steps = SessionStepper(model, ctx, self._metrics)
        return await steps.sampled(state, text, num_given, len(ids) - num_given, known)
