"""Completions that go on from a session's state: what is drawn, and the state they end in."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from nextchar.call import Call
from nextchar.completer import Completer, make_sampling, make_seed
from nextchar.completion_schemas import Completion, SamplingFields
from nextchar.intake import Intake
from nextchar.lane import Delivery, Finish, Lane
from nextchar.metrics import Metrics
from nextchar.repository import Model
from nextchar.session import SessionState
from nextchar.session_steps import SessionSteps

Piece = tuple[Completion | None, SessionState | None]


class Continuer:
    """Runs completions of one model's states; raises as `Completer`."""

    def __init__(self, completer: Completer, intake: Intake, metrics: Metrics) -> None:
        self._completer, self._intake, self._metrics = completer, intake, metrics

    async def stream(
        self,
        model: Model,
        state: SessionState,
        request: SamplingFields,
        call: Call,
        *,
        prompt: str = "",
        echo: bool = False,
    ) -> AsyncGenerator[Piece]:
        """Pieces of the text after a state and a prompt; with the last comes the state after all of it.

        Without a seed of the request, the random numbers are the state's own and go on where it left off.
        """
        self._intake.check_max_tokens(request.max_tokens)
        given = self._intake.encode(prompt, model=model, call=call, param="prompt")
        self._metrics.observe_size(call, len(given))
        seed, first_draw = state.seed, state.here.num_drawn
        if request.seed is not None:
            seed, first_draw = make_seed(request.seed), 0
        sampling = make_sampling(model, request, seed=seed, first_draw=first_draw)
        lane = Lane(given, sampling=sampling, start=state.here.state, keeps_state=True)
        shown = model.graph.vocabulary.normalize(prompt)
        deliveries: list[Delivery] = []
        run = self._completer.run(model, lane, request, call, prompt=shown, echo=echo)
        async with aclosing(run) as pieces:
            async for piece, delivery in pieces:
                deliveries.append(delivery)
                end = None
                if delivery.last:
                    end = await self._end(model, state, lane, deliveries, call)
                yield piece, end

    async def _end(
        self, model: Model, state: SessionState, lane: Lane, deliveries: list[Delivery], call: Call
    ) -> SessionState:
        ids = np.concatenate([delivery.ids for delivery in deliveries])
        num_stop = sum(delivery.num_stop for delivery in deliveries)
        num_given, finish = len(lane.given), deliveries[-1].finish
        text = ids[: len(ids) - num_stop]  # a stop string is no part of what the client was given
        known = lane.state if finish in (Finish.LENGTH, Finish.GIVEN) else None
        steps = SessionSteps(model, call, self._metrics)
        return await steps.sampled(state, text, num_given, len(ids) - num_given, known)
