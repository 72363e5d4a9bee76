"""Runs Triton's sequences as sessions: created at the start, fed at each step, deleted at the end.

A sequence of a model is the session `sequence.<model>.<id>` in the session store, so it continues after a
restart and on another replica. Names and ids may have dots: if the name does, the number of its characters
comes before it, as in `sequence-8.names.eu.7`, so that no two sequences have one session.
"""

from dataclasses import dataclass
from typing import Protocol

from nextchar.engine.sampler import Doubles
from nextchar.errors import (
    InvalidRequest,
    SessionEvicted,
    SessionExists,
    SessionExpired,
    SessionNotFound,
    StateModelMismatch,
)
from nextchar.repository.model import Model
from nextchar.schemas.adaptive import AdaptiveOptions
from nextchar.schemas.sessions import MAX_SESSION_ID_CHARS, is_session_id
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import EncodedText, Validation
from nextchar.service.oip.schemas import InferRequest, model_id
from nextchar.service.sessions.adaptation import new_memory
from nextchar.service.sessions.lookup import OpenSession
from nextchar.service.sessions.manager import SessionManager
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

_GONE = (SessionNotFound, SessionExpired, SessionEvicted)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The result of a step: log-probabilities of its text [t], and of the next character [num_outputs]."""

    model: Model
    logprobs: Doubles
    distribution: Doubles


class ReadStep(Protocol):
    """Encodes the text of a request as ids of a model; the sequence's text ended in a return or not."""

    def __call__(self, model: Model, *, after_return: bool) -> EncodedText: ...


class SequenceSessions:
    """Runs the requests of sequences; raises the errors of `Service` and of sessions."""

    def __init__(self, manager: SessionManager, validation: Validation, metrics: Metrics) -> None:
        self._manager, self._validation, self._metrics = manager, validation, metrics

    async def step(self, request: InferRequest, read: ReadStep, ctx: RequestContext) -> Step:
        """Runs one request of a sequence; `read` encodes its text as ids of a model."""
        session_id = _session_id(request)
        # Nothing is awaited before the lock, so that the requests of a stream run in the order they came.
        async with self._manager.exclusive(ctx, session_id):
            if request.parameters.sequence_start:
                return await self._first(session_id, request, read, ctx)
            try:
                return await self._later(session_id, request, read, ctx)
            except SessionNotFound:
                raise SessionNotFound(
                    f"sequence {request.parameters.sequence_id!r} of model {request.model!r} is unknown: "
                    "its first request must set sequence_start",
                    param="sequence_id",
                ) from None

    async def _first(
        self, session_id: str, request: InferRequest, read: ReadStep, ctx: RequestContext
    ) -> Step:
        """Starts a sequence, again if it exists: a client that lost its connection may start over."""
        model = self._validation.model(model_id(request.model, request.version), ctx)
        options = AdaptiveOptions() if request.parameters.adaptive else None
        memory = new_memory(options, self._validation.limits)
        state, step = await self._fed(model, SessionState.begun(make_seed(None), memory), read, ctx)
        if request.parameters.sequence_end:
            await self._forget_earlier(session_id, request, ctx)
            return step
        try:
            await self._manager.create(ctx, model, state, session_id=session_id, ttl_seconds=None)
        except SessionExists:
            await self._forget_earlier(session_id, request, ctx)
            await self._manager.create(ctx, model, state, session_id=session_id, ttl_seconds=None)
        return step

    async def _later(
        self, session_id: str, request: InferRequest, read: ReadStep, ctx: RequestContext
    ) -> Step:
        async def fed(opened: OpenSession) -> tuple[SessionState, Step]:
            _check_model(request, opened.record.model)
            _check_version(request, opened)
            return await self._fed(opened.model, opened.state, read, ctx)

        if request.parameters.sequence_end:
            _, step = await fed(await self._manager.open(ctx, session_id))
            await self._forget(session_id, ctx)
            return step
        step, _ = await self._manager.move_on(ctx, session_id, fed, revision=None)
        return step

    async def _fed(
        self, model: Model, state: SessionState, read: ReadStep, ctx: RequestContext
    ) -> tuple[SessionState, Step]:
        text = read(model, after_return=state.here.after_return)
        ids = text.ids
        self._metrics.observe_size(ctx, len(ids))
        steps = SessionStepper(model, ctx, self._metrics)
        fed = await steps.feed(state, ids, after_return=text.after_return, wants_distribution=True)
        self._metrics.count_chars(ctx, fed=len(ids))
        return fed.state, Step(model, fed.logprobs, fed.next_logprobs)

    async def _forget(self, session_id: str, ctx: RequestContext) -> None:
        try:
            await self._manager.delete(ctx, session_id)
        except _GONE:
            return

    async def _forget_earlier(self, session_id: str, request: InferRequest, ctx: RequestContext) -> None:
        """Deletes what an earlier start has left, and nothing of another model."""
        try:
            _check_model(request, await self._manager.model_of(ctx, session_id))
        except _GONE:
            return
        await self._forget(session_id, ctx)


def _session_id(request: InferRequest) -> str:
    length = f"-{len(request.model)}" if "." in request.model else ""
    session_id = f"sequence{length}.{request.model}.{request.parameters.sequence_id}"
    if is_session_id(session_id):
        return session_id
    raise InvalidRequest(
        f"sequence_id must be letters, digits, '.', '_' or '-', up to "
        f"{MAX_SESSION_ID_CHARS - len(f'sequence{length}..')} together with the model's name",
        param="sequence_id",
    )


def _check_model(request: InferRequest, model: str) -> None:
    """Raises StateModelMismatch for a session of another model: a client gave it the name of a sequence."""
    if model != request.model:
        raise StateModelMismatch(
            f"sequence {request.parameters.sequence_id!r} of model {request.model!r} is a session of model "
            f"{model!r}: delete it, or use another sequence_id",
            param="sequence_id",
        )


def _check_version(request: InferRequest, opened: OpenSession) -> None:
    version = opened.record.version
    if request.version not in ("", version):
        raise InvalidRequest(
            f"model_version must be {version}, the version of the sequence (it is {request.version})",
            param="model_version",
        )
