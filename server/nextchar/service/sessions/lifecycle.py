"""Creates, lists, renews, forks, rewinds, exports, restores and deletes sessions."""

from collections.abc import Callable

from nextchar.errors import InvalidRequest
from nextchar.schemas.limits import SessionLimits
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SessionInfo,
    SessionList,
)
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.adaptation import new_memory, told_options
from nextchar.service.sessions.codec import state_bytes
from nextchar.service.sessions.lookup import OpenSession
from nextchar.service.sessions.manager import SessionManager
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.text import SessionText
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


class SessionLifecycle:
    """Answers the requests of sessions that read and draw nothing; `text` answers those that do.

    Each method raises what `Service` raises, and the errors of sessions.
    """

    def __init__(
        self,
        manager: SessionManager,
        text: SessionText,
        validation: Validation,
        metrics: Metrics,
        limits: SessionLimits,
    ) -> None:
        self.text = text
        self._manager, self._validation, self._metrics, self._limits = manager, validation, metrics, limits

    async def create(self, request: CreateSessionRequest, ctx: RequestContext) -> SessionInfo:
        """Creates a session that has read its priming text."""
        model = self._validation.model(request.model, ctx)
        prime = self._validation.encode_next(
            request.prime, model=model, ctx=ctx, param="prime", after_return=False
        )
        self._metrics.observe_size(ctx, len(prime.ids))
        stepper = SessionStepper(model, ctx, self._metrics)
        memory = new_memory(request.adaptive, self._validation.limits)
        begun = SessionState.begun(make_seed(request.seed), memory)
        state = (await stepper.feed(begun, prime.ids, after_return=prime.after_return)).state
        record = await self._manager.create(
            ctx, model, state, session_id=request.session_id, ttl_seconds=request.ttl_seconds
        )
        self._metrics.count_chars(ctx, fed=len(prime.ids))
        return _info(record, state)

    async def get(self, session_id: str, ctx: RequestContext) -> SessionInfo:
        """Describes a session, and does not renew it."""
        opened = await self._manager.open(ctx, session_id)
        return _info(opened.record, opened.state)

    async def list(self, request: ListSessionsRequest, ctx: RequestContext) -> SessionList:
        """Lists the principal's unexpired sessions, by id."""
        limit = request.limit
        records = await self._manager.page(ctx, after=request.after, limit=limit + 1)
        more = records[limit - 1].session_id if len(records) > limit else None
        return SessionList(data=[_info(record) for record in records[:limit]], next_after=more)

    async def delete(self, session_id: str, ctx: RequestContext) -> None:
        """Deletes a session."""
        await self._manager.end(ctx, session_id)

    async def renew(self, session_id: str, request: RenewRequest, ctx: RequestContext) -> SessionInfo:
        """Renews a session, with another time to live if the request has one; its state stays."""
        async with self._manager.exclusive(ctx, session_id):
            opened = await self._manager.open(ctx, session_id)
            ttl = opened.record.ttl_seconds if request.ttl_seconds is None else request.ttl_seconds
            return _info(await self._manager.renew(opened.record, ttl), opened.state)

    async def fork(self, session_id: str, request: ForkRequest, ctx: RequestContext) -> SessionInfo:
        """Creates a second session at the same place, with the same characters to take back."""
        async with self._manager.exclusive(ctx, session_id):
            opened = await self._manager.open(ctx, session_id)
        record = await self._manager.create(
            ctx,
            opened.model,
            opened.state,
            session_id=request.session_id,
            ttl_seconds=opened.record.ttl_seconds,
        )
        return _info(record, opened.state)

    async def checkpoint(
        self, session_id: str, request: CheckpointRequest, ctx: RequestContext
    ) -> SessionInfo:
        """Names the place where the session is, to come back to; a name in use moves here."""

        def named(state: SessionState) -> SessionState:
            limit = self._limits.max_checkpoints
            if len(state.checkpoints) >= limit and request.name not in state.checkpoints:
                raise InvalidRequest(
                    f"the session has {len(state.checkpoints)} checkpoints, the limit is {limit}: delete "
                    "one, or use one of their names",
                    param="name",
                )
            return state.with_checkpoint(request.name)

        return await self._moved(session_id, ctx, named, request.if_revision)

    async def delete_checkpoint(
        self, session_id: str, request: CheckpointRequest, ctx: RequestContext
    ) -> SessionInfo:
        """Forgets a checkpoint, with the bytes of its state."""

        def without(state: SessionState) -> SessionState:
            _check_checkpoint(state, request.name)
            return state.without_checkpoint(request.name)

        return await self._moved(session_id, ctx, without, request.if_revision)

    async def rollback(self, session_id: str, request: CheckpointRequest, ctx: RequestContext) -> SessionInfo:
        """Takes a session back to a checkpoint; what was read before that cannot be taken back any more."""

        def back(state: SessionState) -> SessionState:
            _check_checkpoint(state, request.name)
            return state.rolled_back(request.name)

        return await self._moved(session_id, ctx, back, request.if_revision)

    async def rewind(self, session_id: str, request: RewindRequest, ctx: RequestContext) -> SessionInfo:
        """Takes the last characters of a session back."""

        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            stepper = SessionStepper(opened.model, ctx, self._metrics)
            state = await stepper.rewound(opened.state, request.num_chars)
            return state, state

        state, record = await self._manager.update(ctx, session_id, change, revision=request.if_revision)
        return _info(record, state)

    async def export(self, session_id: str, ctx: RequestContext) -> bytes:
        """Returns the state as bytes for `restore`, here or on a server with the same key and model."""
        return (await self._manager.open(ctx, session_id)).record.sealed

    async def restore(
        self, session_id: str, sealed: bytes, ctx: RequestContext, *, revision: int | None = None
    ) -> SessionInfo:
        """Puts an existing session where the bytes say, if it is at `revision`; they were made for its model.

        Raises:
            StateInvalid, StateModelMismatch: the bytes are no state for it; it stays where it is.
        """

        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            state = self._manager.unseal(ctx, opened.model, sealed)
            return state, state

        state, record = await self._manager.update(ctx, session_id, change, revision=revision)
        return _info(record, state)

    async def _moved(
        self,
        session_id: str,
        ctx: RequestContext,
        move: Callable[[SessionState], SessionState],
        revision: int | None,
    ) -> SessionInfo:
        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            state = move(opened.state)
            return state, state

        state, record = await self._manager.update(ctx, session_id, change, revision=revision)
        return _info(record, state)


def _check_checkpoint(state: SessionState, name: str) -> None:
    """Raises InvalidRequest for a name that no checkpoint of the session has."""
    if name not in state.checkpoints:
        known = ", ".join(sorted(state.checkpoints)) or "none"
        raise InvalidRequest(f"name is {name!r}, the session's checkpoints are: {known}", param="name")


def _info(record: SessionRecord, state: SessionState | None = None) -> SessionInfo:
    return SessionInfo(
        session_id=record.session_id,
        model=record.model,
        model_version=record.version,
        position=record.position,
        revision=record.revision,
        created=record.created,
        ttl_seconds=record.ttl_seconds,
        expires_at=record.expires_at,
        state_bytes=None if state is None else state_bytes(state),
        max_rewind=None if state is None else state.max_rewind,
        checkpoints=None if state is None else sorted(state.checkpoints),
        adaptive=None if state is None else told_options(state.here.memory),
    )
