"""Answers completion requests: of a prompt, after a session's text, after a state that the client keeps."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

from nextchar.errors import InvalidRequest
from nextchar.repository.model import Model
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.service.inference.completion_plan import CompletionPlan, Start
from nextchar.service.inference.completion_runner import CompletionRunner
from nextchar.service.inference.completion_text import Shown
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.adaptation import new_memory
from nextchar.service.sessions.client_state import ClientStates, has_client_state
from nextchar.service.sessions.text import SessionText
from nextchar.telemetry.request_context import RequestContext


class Completer:
    """Chooses where a completion starts, and runs it."""

    def __init__(
        self,
        validation: Validation,
        runner: CompletionRunner,
        sessions: SessionText,
        client_states: ClientStates,
    ) -> None:
        self._validation, self._runner = validation, runner
        self._sessions, self._client_states = sessions, client_states

    async def complete(
        self, request: CompletionRequest, ctx: RequestContext, *, model: Model | None = None
    ) -> Completion:
        """Returns whole completions, of `model` if it was looked up before; with `best_of` the best ones."""
        async with self._start(request, ctx, model) as start:
            return await self._runner.whole(await self._prepare(request, start, ctx), ctx)

    async def stream(
        self, request: CompletionRequest, ctx: RequestContext, *, model: Model | None = None
    ) -> AsyncGenerator[Completion]:
        """Yields completions as they are sampled, as `complete` returns them.

        Errors of the request are raised before the first piece.
        """
        async with self._start(request, ctx, model) as start:
            plan = await self._prepare(request, start, ctx)
            async with aclosing(self._runner.pieces(plan, ctx)) as pieces:
                async for piece in pieces:
                    yield piece

    def _start(
        self, request: CompletionRequest, ctx: RequestContext, model: Model | None
    ) -> AbstractAsyncContextManager[Start]:
        if request.session_id is not None:
            return self._sessions.start(
                request.session_id, ctx, model_id=request.model, revision=request.if_revision
            )
        if has_client_state(request):
            return nullcontext(self._client_states.start(request, ctx))
        model = model or self._validation.model(request.model, ctx)
        return nullcontext(Start(model, memory=new_memory(request.adaptive, self._validation.limits)))

    async def _prepare(self, request: CompletionRequest, start: Start, ctx: RequestContext) -> CompletionPlan:
        prompts = self._validation.prompts(
            request, model=start.model, ctx=ctx, after_return=start.after_return
        )
        if start.continues and prompts[0].begins:
            raise InvalidRequest(
                "prompt begins with the id of the begin symbol, which is before any text: leave it out when "
                "session_id, state or return_state is set",
                param="prompt",
            )
        shown = Shown(
            echo=request.echo,
            num_top=request.logprobs,
            num_prompt_top=request.prompt_logprobs,
            token_ids=request.return_token_ids,
        )
        return await self._runner.prepare(
            request, prompts, start, ctx, shown=shown, num_samples=request.num_samples, num_best=request.n
        )
