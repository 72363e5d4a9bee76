"""Calls without a session that go on from a state the client carries, and give it the next one.

The bytes are those of a session's exported state: sealed for one owner and one model.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.codec import StateCodec, made_for
from nextchar.service.sessions.continuation import Continuation
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import Fed, SessionStepper
from nextchar.telemetry.metrics import Metrics

Request = NextRequest | ScoreRequest | CompletionRequest


def has_client_state(request: Request) -> bool:
    """Whether a request brings a state or wants one."""
    return request.state is not None or request.return_state


class ClientStateCalls:
    """Each method is one call; it raises what `Service` raises, StateInvalid and StateModelMismatch."""

    def __init__(
        self,
        codec: StateCodec,
        validation: Validation,
        continuation: Continuation,
        scorer: ScoreRunner,
        metrics: Metrics,
    ) -> None:
        self._codec, self._validation, self._metrics = codec, validation, metrics
        self._continuation, self._scorer = continuation, scorer

    async def next(self, request: NextRequest, ctx: RequestContext) -> NextResponse:
        """The distribution after a state and a text; the next state is there."""
        model, state = self._open(request, ctx)
        fed, num_chars = await self._read(request.input, "input", model, state, ctx, wants_distribution=True)
        distribution = fed.next_logprobs
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(num_chars),
            state=self._sealed(request, model, fed.state, ctx),
        )

    async def score(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """log p of strings after a state and a context; the next state is there, before the strings."""
        self._validation.check_strings(len(request.input))
        model, state = self._open(request, ctx)
        fed, num_chars = await self._read(request.context, "context", model, state, ctx)
        nothing = np.empty(0, dtype=np.int64)
        answer = await self._scorer.score_after(request, model, nothing, fed.state.here.state, ctx)
        usage = make_usage(answer.usage.prompt_tokens + num_chars)
        sealed = self._sealed(request, model, fed.state, ctx)
        return answer.model_copy(update={"usage": usage, "state": sealed})

    async def stream(self, request: CompletionRequest, ctx: RequestContext) -> AsyncGenerator[Completion]:
        """A completion after a state and a prompt; the last piece has the next state, after all of it."""
        model, state = self._open(request, ctx, seed=request.seed)
        run = self._continuation.stream(model, state, request, ctx)
        async with aclosing(run) as pieces:
            async for piece, end in pieces:
                if piece is not None:
                    sealed = None if end is None else self._sealed(request, model, end, ctx)
                    yield piece.model_copy(update={"state": sealed})

    def _open(
        self, request: Request, ctx: RequestContext, *, seed: int | None = None
    ) -> tuple[Model, SessionState]:
        """The model, and what there is to go on from; without a version named, that of the state."""
        sealed = request.state
        if sealed is None:
            return self._validation.model(request.model, ctx), SessionState(make_seed(seed))
        model = self._validation.model(request.model, ctx, fits=lambda m: made_for(sealed, m.graph.digest))
        graph = model.graph
        shapes = graph.state_shapes
        return model, self._codec.open(sealed, owner=ctx.owner, digest=graph.digest, shapes=shapes)

    async def _read(
        self,
        text: str,
        param: str,
        model: Model,
        state: SessionState,
        ctx: RequestContext,
        *,
        wants_distribution: bool = False,
    ) -> tuple[Fed, int]:
        ids = self._validation.encode(text, model=model, ctx=ctx, param=param)
        self._metrics.observe_size(ctx, len(ids))
        stepper = SessionStepper(model, ctx, self._metrics)
        fed = await stepper.feed(state, ids, wants_distribution=wants_distribution)
        self._metrics.count_chars(ctx, fed=len(ids))
        return fed, len(ids)

    def _sealed(
        self, request: Request, model: Model, state: SessionState, ctx: RequestContext
    ) -> bytes | None:
        if not request.return_state:
            return None
        return self._codec.seal(state, owner=ctx.owner, digest=model.graph.digest)
