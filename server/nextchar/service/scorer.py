"""Scores of strings, from the begin symbol or after a state that the client carries."""

from nextchar.request_context import RequestContext
from nextchar.schemas.score import ScoreRequest, ScoreResponse
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.sessions.client_state import ClientStateCalls, has_client_state


class Scorer:
    """Answers score requests."""

    def __init__(self, runner: ScoreRunner, client_states: ClientStateCalls) -> None:
        self._runner, self._client_states = runner, client_states

    async def score(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """Returns log p of each string, from the begin symbol or after the state and the context."""
        return await (self._client_states if has_client_state(request) else self._runner).score(request, ctx)
