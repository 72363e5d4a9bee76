"""Completions: of a prompt, after a session's text, or after a state that the client carries."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nextchar.request_context import RequestContext
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.service.inference.completion_runner import CompletionRunner
from nextchar.service.inference.completion_text import join_choices
from nextchar.service.sessions.client_state import ClientStateCalls, has_client_state
from nextchar.service.sessions.text import SessionText


class Completer:
    """Answers completion requests."""

    def __init__(
        self, runner: CompletionRunner, sessions: SessionText, client_states: ClientStateCalls
    ) -> None:
        self._runner, self._sessions, self._client_states = runner, sessions, client_states

    async def complete(self, request: CompletionRequest, ctx: RequestContext) -> Completion:
        """Returns whole completions: the pieces of `stream`, joined."""
        if request.session_id is None and not has_client_state(request):
            return await self._runner.complete(request, ctx)
        async with aclosing(self.stream(request, ctx)) as pieces:
            parts = [piece async for piece in pieces]
        choice = join_choices([part.choices[0] for part in parts])
        return parts[-1].model_copy(update={"choices": [choice]})

    def stream(self, request: CompletionRequest, ctx: RequestContext) -> AsyncGenerator[Completion]:
        """Yields a completion as it is sampled. Errors of the request are raised before the first piece."""
        if request.session_id is not None:
            return self._sessions.complete(request.session_id, request, ctx)
        return (self._client_states if has_client_state(request) else self._runner).stream(request, ctx)
