"""Answers score requests: from the begin symbol, or after a state that the client keeps."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nextchar.repository.model import Model
from nextchar.schemas.score import ScoreRequest, ScoreResponse
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.client_state import ClientStates, has_client_state
from nextchar.service.sessions.ordered_scorer import OrderedScorer
from nextchar.service.sessions.separate_scorer import SeparateScorer
from nextchar.service.sessions.state import SessionState
from nextchar.telemetry.request_context import RequestContext


class Scorer:
    """Scores strings."""

    def __init__(
        self,
        validation: Validation,
        runner: ScoreRunner,
        client_states: ClientStates,
        ordered: OrderedScorer,
        separate: SeparateScorer,
    ) -> None:
        self._validation, self._runner, self._client_states = validation, runner, client_states
        self._ordered, self._separate = ordered, separate

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
        has_read = False  # the context, with the first message

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
            nonlocal has_read
            if not held:
                model, state = self._client_states.open(request, ctx)
                model.engine.hold()
                held.append(model)
                learned.append(state)
            else:
                self._validation.use(held[0], ctx)
                if has_read:
                    request = request.model_copy(update={"context": ""})
            answer, learned[0] = await self._score_in_order(request, held[0], learned[0], ctx)
            has_read = True
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
        model, state = self._client_states.open(request, ctx)
        answer, after = await self._separate.score(request, model, state, ctx)
        sealed = self._client_states.seal(request, model, after, ctx)
        return answer.model_copy(update={"state": sealed})
