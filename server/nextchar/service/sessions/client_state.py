"""Calls without a session that go on from a state the client carries, and give it the next one.

The bytes are those of a session's exported state: sealed for one owner and one model.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from nextchar.repository.served_models import Model
from nextchar.request_context import Call
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.scorer import Scorer
from nextchar.service.inference.validation import Intake
from nextchar.service.sessions.codec import StateCodec, made_for
from nextchar.service.sessions.continuation import Continuer
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionSteps
from nextchar.telemetry.metrics import Metrics

Request = NextRequest | ScoreRequest | CompletionRequest


def carries(request: Request) -> bool:
    """Whether a request brings a state or wants one."""
    return request.state is not None or request.return_state


class Carried:
    """Each method is one call; it raises what `Service` raises, StateInvalid and StateModelMismatch."""

    def __init__(
        self, codec: StateCodec, intake: Intake, continuer: Continuer, scorer: Scorer, metrics: Metrics
    ) -> None:
        self._codec, self._intake, self._metrics = codec, intake, metrics
        self._continuer, self._scorer = continuer, scorer

    async def next(self, request: NextRequest, call: Call) -> NextResponse:
        """The distribution after a state and a text; the next state is there."""
        model, state = self._open(request, call)
        state, num_chars = await self._read(request.input, "input", model, state, call)
        distribution = await SessionSteps(model, call, self._metrics).distribution(state)
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(num_chars),
            state=self._sealed(request, model, state, call),
        )

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """log p of strings after a state and a context; the next state is there, before the strings."""
        self._intake.check_strings(len(request.input))
        model, state = self._open(request, call)
        state, num_chars = await self._read(request.context, "context", model, state, call)
        nothing = np.empty(0, dtype=np.int64)
        answer = await self._scorer.score_after(request, model, nothing, state.here.state, call)
        usage = make_usage(answer.usage.prompt_tokens + num_chars)
        return answer.model_copy(update={"usage": usage, "state": self._sealed(request, model, state, call)})

    async def stream(self, request: CompletionRequest, call: Call) -> AsyncGenerator[Completion]:
        """A completion after a state and a prompt; the last piece has the next state, after all of it."""
        model, state = self._open(request, call, seed=request.seed)
        run = self._continuer.stream(model, state, request, call)
        async with aclosing(run) as pieces:
            async for piece, end in pieces:
                if piece is not None:
                    sealed = None if end is None else self._sealed(request, model, end, call)
                    yield piece.model_copy(update={"state": sealed})

    def _open(self, request: Request, call: Call, *, seed: int | None = None) -> tuple[Model, SessionState]:
        """The model, and what there is to go on from; without a version named, that of the state."""
        sealed = request.state
        if sealed is None:
            return self._intake.model(request.model, call), SessionState(make_seed(seed))
        model = self._intake.model(request.model, call, fits=lambda m: made_for(sealed, m.graph.digest))
        graph = model.graph
        shapes = graph.state_shapes
        return model, self._codec.open(sealed, owner=call.owner, digest=graph.digest, shapes=shapes)

    async def _read(
        self, text: str, param: str, model: Model, state: SessionState, call: Call
    ) -> tuple[SessionState, int]:
        ids = self._intake.encode(text, model=model, call=call, param=param)
        self._metrics.observe_size(call, len(ids))
        state, _ = await SessionSteps(model, call, self._metrics).feed(state, ids)
        self._metrics.count_chars(call, fed=len(ids))
        return state, len(ids)

    def _sealed(self, request: Request, model: Model, state: SessionState, call: Call) -> bytes | None:
        if not request.return_state:
            return None
        return self._codec.seal(state, owner=call.owner, digest=model.graph.digest)
