"""Reads, scores and draws characters in sessions."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace

import numpy as np

from nextchar.errors import InvalidRequest, StateModelMismatch
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Completion
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import (
    MAX_EACH_CHARS,
    Distribution,
    FeedRequest,
    FeedResponse,
    SampleRequest,
    SessionCompletion,
    SessionNextRequest,
    SessionNextResponse,
    SessionScoreRequest,
)
from nextchar.service.inference.completion_plan import CompletionPlan, Start
from nextchar.service.inference.completion_runner import CompletionRunner
from nextchar.service.inference.completion_text import NO_PROMPT, Shown
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.validation import EncodedText, Validation, count_unknown
from nextchar.service.sessions.continuation import start_from
from nextchar.service.sessions.lookup import OpenSession
from nextchar.service.sessions.manager import SessionManager
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import Fed, Predicted, SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


class SessionText:
    """Answers the requests of sessions that read or draw characters.

    Each method raises what `Service` raises, and the errors of sessions.
    """

    def __init__(
        self,
        manager: SessionManager,
        validation: Validation,
        completions: CompletionRunner,
        scores: ScoreRunner,
        metrics: Metrics,
    ) -> None:
        self._manager, self._validation, self._metrics = manager, validation, metrics
        self._completions, self._scores = completions, scores

    async def feed(self, session_id: str, request: FeedRequest, ctx: RequestContext) -> FeedResponse:
        """Reads characters; returns their log-probability and the distribution after them."""
        if request.return_ == "each" and len(request.text) > MAX_EACH_CHARS:
            raise InvalidRequest(
                f"text has {len(request.text)} characters, the limit is {MAX_EACH_CHARS} when return is each",
                param="text",
            )

        async def change(opened: OpenSession) -> tuple[SessionState, FeedResponse]:
            return await self._feed(opened, request, ctx)

        async with self._manager.exclusive(ctx, session_id):
            answer, record = await self._manager.move_on(
                ctx, session_id, change, revision=request.if_revision
            )
        return answer.model_copy(update={"revision": record.revision})

    async def _feed(
        self, opened: OpenSession, request: FeedRequest, ctx: RequestContext
    ) -> tuple[SessionState, FeedResponse]:
        model, state, stepper = opened.model, opened.state, self._stepper(opened, ctx)
        text = self._validation.encode_next(
            request.text, model=model, ctx=ctx, param="text", after_return=state.here.after_return
        )
        ids = text.ids
        learned = state.here.memory is not None
        num_distributions = {"each": len(ids), "last": 1, "none": 0}[request.return_]
        self._validation.check_distributions(num_distributions, request.top, model, ctx, learned=learned)
        self._metrics.observe_size(ctx, len(ids))
        fed = await stepper.feed(
            state,
            ids,
            after_return=text.after_return,
            wants_distribution=request.return_ != "none",
            wants_each=request.return_ == "each",
        )
        self._metrics.count_chars(ctx, fed=len(ids))
        predicted = _predicted(fed, request.return_)
        distributions = [_distribution(one, opened, request.top) for one in predicted]
        last = distributions[0] if request.return_ == "last" else None
        own = 0.0 if fed.model_logprobs is None else float(fed.model_logprobs.sum())
        return fed.state, FeedResponse(
            session_id=opened.record.session_id,
            model=model.name,
            model_version=model.version,
            position=fed.state.here.position,
            revision=0,
            logprob=float(fed.logprobs.sum()),
            num_unknown=count_unknown(ids, model.graph.vocabulary),
            model_logprob=own if learned else None,
            case_folding=model.graph.vocabulary.told_folding,
            data=last.data if last else distributions if request.return_ == "each" else None,
            entropy_bits=last.entropy_bits if last else None,
        )

    async def next(
        self, session_id: str, request: SessionNextRequest, ctx: RequestContext
    ) -> SessionNextResponse:
        """Returns the distribution of the next character; the session stays where it is."""
        async with self._manager.exclusive(ctx, session_id):
            opened = await self._manager.open(ctx, session_id)
            predicted = await self._stepper(opened, ctx).prediction(opened.state)
            distribution = _distribution(predicted.last, opened, request.top)
            await self._manager.touch(opened)
        return SessionNextResponse(
            session_id=session_id,
            position=opened.record.position,
            revision=opened.record.revision,
            model=opened.model.name,
            model_version=opened.model.version,
            usage=make_usage(0),
            case_folding=opened.model.graph.vocabulary.told_folding,
            **dict(distribution),
        )

    async def score(
        self, session_id: str, request: SessionScoreRequest, ctx: RequestContext
    ) -> ScoreResponse:
        """Returns log p of strings as continuations; the session stays where it is."""
        async with self._manager.exclusive(ctx, session_id):
            opened = await self._manager.open(ctx, session_id)
            here = opened.state.here
            nothing = EncodedText(np.empty(0, dtype=np.int64), here.after_return)
            answer = await self._scores.score_after(
                request, opened.model, nothing, here.state, ctx, memory=here.memory
            )
            await self._manager.touch(opened)
        return answer

    async def sample(self, session_id: str, request: SampleRequest, ctx: RequestContext) -> Completion:
        """Draws characters after the session's text; returns them whole."""
        async with self._sampled_from(session_id, request, ctx) as start:
            return await self._completions.whole(await self._prepare(request, start, ctx), ctx)

    async def stream(
        self, session_id: str, request: SampleRequest, ctx: RequestContext
    ) -> AsyncGenerator[Completion]:
        """Yields characters as they are drawn after the session's text.

        The session moves just before the last piece, which says where to; a stream that is left before that
        leaves it where it was.
        """
        async with self._sampled_from(session_id, request, ctx) as start:
            plan = await self._prepare(request, start, ctx)
            async with aclosing(self._completions.pieces(plan, ctx)) as pieces:
                async for piece in pieces:
                    yield piece

    @asynccontextmanager
    async def start(
        self,
        session_id: str,
        ctx: RequestContext,
        *,
        revision: int | None,
        model_id: str | None = None,
        answer_type: type[Completion] = Completion,
    ) -> AsyncIterator[Start]:
        """Holds a session while a completion goes on from it, which moves it past all that is read and drawn.

        Raises:
            StateModelMismatch: `model_id` names another model than the session's.
        """
        async with self._manager.exclusive(ctx, session_id):
            opened = await self._manager.open(ctx, session_id, revision=revision)
            if model_id is not None:
                _check_model(model_id, opened)

            async def save(state: SessionState) -> Mapping[str, object]:
                record = await self._manager.save(ctx, opened, state)
                return {"position": record.position, "revision": record.revision}

            stepper, fields = self._stepper(opened, ctx), {"session_id": opened.record.session_id}
            yield start_from(
                opened.state, opened.model, stepper, save, answer_type=answer_type, fields=fields
            )

    def _sampled_from(
        self, session_id: str, request: SampleRequest, ctx: RequestContext
    ) -> AbstractAsyncContextManager[Start]:
        return self.start(session_id, ctx, revision=request.if_revision, answer_type=SessionCompletion)

    async def _prepare(self, request: SampleRequest, start: Start, ctx: RequestContext) -> CompletionPlan:
        self._validation.check_max_tokens(request.max_tokens)
        shown = Shown(num_top=request.logprobs, token_ids=request.return_token_ids)
        prompt = replace(NO_PROMPT, after_return=start.after_return)
        return await self._completions.prepare(request, [prompt], start, ctx, shown=shown)

    def _stepper(self, opened: OpenSession, ctx: RequestContext) -> SessionStepper:
        return SessionStepper(opened.model, ctx, self._metrics)


def _check_model(model_id: str, opened: OpenSession) -> None:
    """Raises StateModelMismatch for a request that names another model than its session's."""
    name, version = opened.model.name, opened.model.version
    if model_id not in (name, f"{name}:{version}"):
        raise StateModelMismatch(
            f"model is {model_id[:100]!r}, the session is of {name}:{version}", param="model"
        )


def _predicted(fed: Fed, returned: str) -> tuple[Predicted, ...]:
    """Returns what was asked for: what comes after each character, or after the last."""
    if returned == "none":
        return ()
    return fed.each or (fed.last,)


def _distribution(predicted: Predicted, opened: OpenSession, top: int | None) -> Distribution:
    logprobs = predicted.logprobs
    data = next_chars(logprobs, opened.model.graph.vocabulary, top, predicted.model_logprobs)
    return Distribution(data=data, entropy_bits=entropy_bits(logprobs))
