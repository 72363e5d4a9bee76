"""Triton's sequences as our sessions: made at the start, fed at each step, deleted at the end.

A sequence of a model is the session `sequence.<model>.<id>`: it lives where sessions live and as long, so it
goes on after a restart, and on another replica.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from nextchar.engine.sampler import Doubles
from nextchar.errors import InvalidRequest, SessionEvicted, SessionExists, SessionExpired, SessionNotFound
from nextchar.model.vocabulary import Ids
from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.schemas.sessions import SESSION_ID
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import Validation
from nextchar.service.oip.schemas import InferRequest
from nextchar.service.sessions.manager import OpenSession, SessionManager
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What a step of a sequence gives: its text's log-probabilities [t], what comes after [num_outputs]."""

    model: Model
    logprobs: Doubles
    distribution: Doubles


class SequenceSessions:
    """Each method raises what `Service` raises, and the errors of sessions."""

    def __init__(self, manager: SessionManager, validation: Validation, metrics: Metrics) -> None:
        self._manager, self._validation, self._metrics = manager, validation, metrics

    async def step(self, request: InferRequest, read: Callable[[Model], Ids], ctx: RequestContext) -> Step:
        """One request of a sequence; `read` gives its text as ids of a model."""
        session_id = _session_id(request)
        # From here to the lock nothing waits: requests of a stream are taken in the order they came.
        async with self._manager.exclusive(ctx, session_id):
            if request.parameters.sequence_start:
                return await self._first(session_id, request, read, ctx)
            try:
                return await self._later(session_id, request, read, ctx)
            except SessionNotFound:
                raise SessionNotFound(
                    f"there is no sequence {request.parameters.sequence_id!r} of model {request.model!r}: "
                    "its first request says sequence_start",
                    param="sequence_id",
                ) from None

    async def _first(
        self, session_id: str, request: InferRequest, read: Callable[[Model], Ids], ctx: RequestContext
    ) -> Step:
        """A start of a sequence that is there begins it anew: a client that was cut off may start again."""
        model = self._validation.model(_model_id(request), ctx)
        state, step = await self._fed(model, SessionState(make_seed(None)), read(model), ctx)
        if request.parameters.sequence_end:
            await self._forget(session_id, ctx)
            return step
        try:
            await self._manager.create(ctx, model, state, session_id=session_id, ttl_seconds=None)
        except SessionExists:
            await self._forget(session_id, ctx)
            await self._manager.create(ctx, model, state, session_id=session_id, ttl_seconds=None)
        return step

    async def _later(
        self, session_id: str, request: InferRequest, read: Callable[[Model], Ids], ctx: RequestContext
    ) -> Step:
        opened = await self._manager.open(ctx, session_id)
        _check_version(request, opened)
        state, step = await self._fed(opened.model, opened.state, read(opened.model), ctx)
        if request.parameters.sequence_end:
            await self._forget(session_id, ctx)
        else:
            await self._manager.save(ctx, opened, state)
        return step

    async def _fed(
        self, model: Model, state: SessionState, ids: Ids, ctx: RequestContext
    ) -> tuple[SessionState, Step]:
        self._metrics.observe_size(ctx, len(ids))
        steps = SessionStepper(model, ctx, self._metrics)
        fed = await steps.feed(state, ids, wants_distribution=True)
        self._metrics.count_chars(ctx, fed=len(ids))
        return fed.state, Step(model, fed.logprobs, fed.next_logprobs)

    async def _forget(self, session_id: str, ctx: RequestContext) -> None:
        try:
            await self._manager.delete(ctx, session_id)
        except (SessionNotFound, SessionExpired, SessionEvicted):
            return  # gone is what it was to be


def _model_id(request: InferRequest) -> str:
    return f"{request.model}:{request.version}" if request.version else request.model


def _session_id(request: InferRequest) -> str:
    session_id = f"sequence.{request.model}.{request.parameters.sequence_id}"
    if re.fullmatch(SESSION_ID, session_id):
        return session_id
    raise InvalidRequest(
        "sequence_id: letters, digits, '.', '_' and '-', at most 118 of them with the model's name",
        param="sequence_id",
    )


def _check_version(request: InferRequest, opened: OpenSession) -> None:
    version = opened.record.version
    if request.version not in ("", version):
        raise InvalidRequest(
            f"the sequence is of version {version} of the model, the request names {request.version}",
            param="model_version",
        )
