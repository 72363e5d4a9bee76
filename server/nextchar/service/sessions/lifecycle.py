"""The calls of sessions: they are made, told about, ended; they fork, go back, and travel."""

from collections.abc import Callable

from nextchar.errors import InvalidRequest
from nextchar.request_context import Call
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
from nextchar.service.inference.validation import Intake
from nextchar.service.sessions.codec import state_bytes
from nextchar.service.sessions.manager import OpenSession, SessionKeeper
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionSteps
from nextchar.service.sessions.stores.base import Record
from nextchar.service.sessions.text import SessionText
from nextchar.telemetry.metrics import Metrics


class Sessions:
    """Each method is one call; it raises what `Service` raises, and the errors of sessions.

    Those that read or draw characters are `text`'s.
    """

    def __init__(
        self,
        keeper: SessionKeeper,
        text: SessionText,
        intake: Intake,
        metrics: Metrics,
        limits: SessionLimits,
    ) -> None:
        self.text = text
        self._keeper, self._intake, self._metrics, self._limits = keeper, intake, metrics, limits

    async def create(self, request: CreateSessionRequest, call: Call) -> SessionInfo:
        """A new session at its priming text's end."""
        model = self._intake.model(request.model, call)
        ids = self._intake.encode(request.prime, model=model, call=call, param="prime")
        self._metrics.observe_size(call, len(ids))
        state = SessionState(make_seed(request.seed))
        state, _ = await SessionSteps(model, call, self._metrics).feed(state, ids)
        record = await self._keeper.create(
            call, model, state, session_id=request.session_id, ttl_seconds=request.ttl_seconds
        )
        self._metrics.count_chars(call, fed=len(ids))
        return _info(record, state)

    async def get(self, session_id: str, call: Call) -> SessionInfo:
        """What a session is; it is not renewed."""
        opened = await self._keeper.open(call, session_id)
        return _info(opened.record, opened.state)

    async def list(self, request: ListSessionsRequest, call: Call) -> SessionList:
        """The caller's live sessions, by id."""
        limit = request.limit
        records = await self._keeper.page(call, after=request.after, limit=limit + 1)
        more = records[limit - 1].session_id if len(records) > limit else None
        return SessionList(data=[_info(record) for record in records[:limit]], next_after=more)

    async def delete(self, session_id: str, call: Call) -> None:
        """End a session."""
        await self._keeper.end(call, session_id)

    async def renew(self, session_id: str, request: RenewRequest, call: Call) -> SessionInfo:
        """Let a session live on, if wanted for another time than before; its state stays."""
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
            ttl = opened.record.ttl_seconds if request.ttl_seconds is None else request.ttl_seconds
            return _info(await self._keeper.renew(opened.record, ttl), opened.state)

    async def fork(self, session_id: str, request: ForkRequest, call: Call) -> SessionInfo:
        """A second session at the same place, with the same way back."""
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
        record = await self._keeper.create(
            call,
            opened.model,
            opened.state,
            session_id=request.session_id,
            ttl_seconds=opened.record.ttl_seconds,
        )
        return _info(record, opened.state)

    async def checkpoint(self, session_id: str, request: CheckpointRequest, call: Call) -> SessionInfo:
        """Give the place a name to come back to; a name that is there already moves here."""

        def named(state: SessionState) -> SessionState:
            limit = self._limits.max_checkpoints
            if len(state.checkpoints) >= limit and request.name not in state.checkpoints:
                raise InvalidRequest(f"the session has {limit} checkpoints, the limit", param="name")
            return state.with_checkpoint(request.name)

        return await self._moved(session_id, call, named, request.if_revision)

    async def rollback(self, session_id: str, request: CheckpointRequest, call: Call) -> SessionInfo:
        """Back to a checkpoint."""

        def back(state: SessionState) -> SessionState:
            if request.name not in state.checkpoints:
                known = ", ".join(sorted(state.checkpoints)) or "none"
                raise InvalidRequest(
                    f"there is no checkpoint {request.name!r}; there is: {known}", param="name"
                )
            return state.rolled_back(request.name)

        return await self._moved(session_id, call, back, request.if_revision)

    async def rewind(self, session_id: str, request: RewindRequest, call: Call) -> SessionInfo:
        """Take the last characters back."""

        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            steps = SessionSteps(opened.model, call, self._metrics)
            state = await steps.rewound(opened.state, request.num_chars)
            return state, state

        state, record = await self._keeper.changed(call, session_id, change, revision=request.if_revision)
        return _info(record, state)

    async def export(self, session_id: str, call: Call) -> bytes:
        """The session's state as bytes for `restore`, here or on a server with the same key and model."""
        return (await self._keeper.open(call, session_id)).record.sealed

    async def restore(self, session_id: str, sealed: bytes, call: Call) -> SessionInfo:
        """Put a session where the bytes say; the session exists, and is of the model they were made for.

        Raises:
            StateInvalid: they are no state for it; it stays where it is.
        """

        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            state = self._keeper.unseal(call, opened.model, sealed)
            return state, state

        state, record = await self._keeper.changed(call, session_id, change, revision=None)
        return _info(record, state)

    async def _moved(
        self, session_id: str, call: Call, move: Callable[[SessionState], SessionState], revision: int | None
    ) -> SessionInfo:
        async def change(opened: OpenSession) -> tuple[SessionState, SessionState]:
            state = move(opened.state)
            return state, state

        state, record = await self._keeper.changed(call, session_id, change, revision=revision)
        return _info(record, state)


def _info(record: Record, state: SessionState | None = None) -> SessionInfo:
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
    )
