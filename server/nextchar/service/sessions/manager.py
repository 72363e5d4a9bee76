"""Loads, unseals and saves sessions."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TypeVar

from nextchar.errors import (
    InternalError,
    InvalidRequest,
    SessionBusy,
    SessionError,
    SessionEvicted,
    SessionExists,
    SessionMoved,
    StateInvalid,
)
from nextchar.repository.model import Model
from nextchar.schemas.limits import SessionLimits
from nextchar.security.principal import Scope
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.lookup import OpenSession, SessionLookup, Stale
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.quota import SessionQuota
from nextchar.service.sessions.session_locks import SessionLocks
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.state_cache import StateCache
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.base import QuotaExceeded, SessionRecord
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.request_context import RequestContext
from nextchar.telemetry.session_metrics import SessionMetrics

_ID_BYTES = 16  # random ones, 128 bits
_ATTEMPTS = 3  # of an update, when another server has written first
T = TypeVar("T")
Change = Callable[[OpenSession], Awaitable[tuple[SessionState, T]]]
logger = logging.getLogger(__name__)


class SessionManager:
    """Manages the sessions of one store, sealed with one key."""

    def __init__(
        self,
        store: InstrumentedStore,
        codec: StateCodec,
        versions: SessionVersions,
        limits: SessionLimits,
        metrics: SessionMetrics,
        clock: StoreClock,
    ) -> None:
        self._store, self._codec, self._versions = store, codec, versions
        self._limits, self._metrics, self._clock = limits, metrics, clock
        self._quota, self._states = SessionQuota(store, limits), StateCache()
        self._lookup = SessionLookup(store, versions, self._states, metrics, clock)
        self._locks = SessionLocks()

    def exclusive(self, ctx: RequestContext, session_id: str) -> AbstractAsyncContextManager[None]:
        """Holds a session for one request; those on the same session follow in order of arrival.

        Raises:
            SessionClosing: the session is being deleted.
        """
        ctx.session_id = session_id
        return self._locks.exclusive((ctx.owner, session_id), ctx.on_wait)

    async def create(
        self,
        ctx: RequestContext,
        model: Model,
        state: SessionState,
        *,
        session_id: str | None,
        ttl_seconds: float | None,
    ) -> SessionRecord:
        """Stores a new session.

        Raises:
            SessionExists: the id is in use.
            SessionLimit: the principal has as many sessions, or bytes of states, as allowed.
            Unavailable: the server accepts no new sessions.
            OutcomeUnknown: the store did not confirm it.
        """
        ctx.principal.require(Scope.SESSIONS)  # here, whichever protocol and route the request came through
        self._versions.check_new()
        now = await self._clock.now()
        sealed = self.seal(ctx, model, state)
        await self._quota.check_one_more(ctx.owner, len(sealed), now=now)
        ttl = self._limits.ttl_seconds_of(model.name) if ttl_seconds is None else ttl_seconds
        record = SessionRecord(
            owner=ctx.owner,
            session_id=session_id or f"sess-{secrets.token_urlsafe(_ID_BYTES)}",
            model=model.name,
            version=model.version,
            digest=model.graph.digest,
            revision=1,
            position=state.here.position,
            created=now,
            ttl_seconds=ttl,
            expires_at=now + ttl,
            sealed=sealed,
        )
        ctx.session_id = record.session_id
        ctx.check_client()
        if not await self._store.create(record, now=now):
            raise SessionExists(f"session {record.session_id!r} exists already", param="session_id")
        self._states.put(record, state)
        self._metrics.created()
        self._metrics.saw(ctx.owner, record.session_id)
        return record

    async def open(self, ctx: RequestContext, session_id: str, *, revision: int | None = None) -> OpenSession:
        """Loads and unseals a session.

        Raises:
            SessionNotFound, SessionExpired, SessionEvicted: there is no such session, or no longer.
            SessionMoved: it is not at the requested revision.
            StateModelMismatch: its model's version is no longer served.
        """
        record = await self._lookup.load(ctx, session_id)
        if revision is not None and revision != record.revision:
            raise SessionMoved(
                f"if_revision is {revision}, the session is at revision {record.revision}, position "
                f"{record.position}",
                param="if_revision",
            )
        model = await self._versions.own(record, ctx)
        try:
            if model is None:
                return await self._replayed(record, ctx)
            state = self._states.get(record)
            if state is None:
                state = self.unseal(ctx, model, record.sealed)
            return OpenSession(record, model, state)
        except StateInvalid as error:
            self._metrics.broke(record.owner, record.session_id, record.created)
            logger.error("a session of model %s cannot go on: its stored %s", record.model, error.message)
            raise InternalError(f"the session cannot go on: its stored {error.message}") from error

    async def model_of(self, ctx: RequestContext, session_id: str) -> str:
        """Returns the name of a session's model, whether that is served or not; raises as `open`."""
        return (await self._lookup.load(ctx, session_id)).model

    async def _replayed(self, record: SessionRecord, ctx: RequestContext) -> OpenSession:
        """Replays and saves a session, whose version is unloaded, in the newest version."""
        model, state = await self._versions.replayed(record, ctx)
        moved = replace(record, version=model.version, digest=model.graph.digest)
        opened = OpenSession(moved, model, state)
        saved = await self.save(ctx, opened, state)
        self._metrics.replayed()
        return replace(opened, record=saved)

    async def save(self, ctx: RequestContext, opened: OpenSession, state: SessionState) -> SessionRecord:
        """Stores a session's next revision, and renews it.

        Raises:
            SessionBusy: another request has stored one meanwhile.
            SessionLimit: the session has grown, and the principal has as many bytes as allowed.
            ClientGone: nobody is there to be told; nothing was stored.
            OutcomeUnknown: the store did not confirm it.
        """
        old = opened.record
        record = replace(
            old,
            revision=old.revision + 1,
            position=state.here.position,
            expires_at=await self._clock.now() + old.ttl_seconds,
            sealed=self.seal(ctx, opened.model, state),
        )
        ctx.check_client()
        limit = self._limits.max_state_bytes
        try:
            done = await self._store.replace(record, revision=old.revision, max_bytes=limit)
        except QuotaExceeded as full:
            growth, now = len(record.sealed) - len(old.sealed), await self._clock.now()
            raise await self._quota.exceeded(ctx.owner, full.num_bytes, growth, now=now) from None
        if not done:
            self._states.drop(old.owner, old.session_id)
            if opened.is_cached:  # it was moved before this request came
                raise Stale
            self._metrics.conflict()
            raise SessionBusy(
                f"session {old.session_id!r} was changed or deleted by another request meanwhile, not by "
                "this one: retry"
            )
        self._states.put(record, state)
        return record

    async def touch(self, opened: OpenSession) -> None:
        """Renews a session that was used and not changed."""
        await self.renew(opened.record, opened.record.ttl_seconds)

    async def renew(self, record: SessionRecord, ttl_seconds: float) -> SessionRecord:
        """Renews a session: it expires `ttl_seconds` from now."""
        expires_at = await self._clock.now() + ttl_seconds
        await self._store.touch(
            record.owner, record.session_id, ttl_seconds=ttl_seconds, expires_at=expires_at
        )
        renewed = replace(record, ttl_seconds=ttl_seconds, expires_at=expires_at)
        self._states.renew(renewed)
        return renewed

    async def end(self, ctx: RequestContext, session_id: str) -> None:
        """Deletes a session after the requests that came before; those that come meanwhile are refused."""
        ctx.session_id = session_id
        async with self._locks.closing((ctx.owner, session_id)):
            await self.delete(ctx, session_id)

    async def delete(self, ctx: RequestContext, session_id: str) -> None:
        """Deletes a session that the request holds; raises as `open` where there is none."""
        self._states.drop(ctx.owner, session_id)
        try:
            record = await self._lookup.load(ctx, session_id)
        except SessionEvicted:
            await self._store.delete(ctx.owner, session_id)  # it is told once, and counts no longer
            raise
        ctx.check_client()
        if await self._store.delete(ctx.owner, session_id):
            self._metrics.ended_at(await self._clock.now() - record.created, record.position)

    async def page(self, ctx: RequestContext, *, after: str, limit: int) -> list[SessionRecord]:
        """Returns a page of the principal's unexpired sessions, by id."""
        ctx.principal.require(Scope.SESSIONS)
        return await self._store.page(ctx.owner, after=after, limit=limit, now=await self._clock.now())

    async def update(
        self, ctx: RequestContext, session_id: str, change: Change[T], *, revision: int | None
    ) -> tuple[T, SessionRecord]:
        """Holds, loads, changes and saves a session; retries if another server has saved it meanwhile.

        Raises:
            SessionMoved: it is not at `revision`, if one is given.
            SessionBusy: other servers were faster every time.
        """
        async with self.exclusive(ctx, session_id):
            return await self._update(ctx, session_id, change, revision)

    async def move_on(
        self, ctx: RequestContext, session_id: str, change: Change[T], *, revision: int | None
    ) -> tuple[T, SessionRecord]:
        """Does what `update` does, of a session that the request holds, in one call of a store that is local.

        The change is tried on the session as this server has it, without a look at the store. If it was moved
        elsewhere, the store refuses that, and the session is loaded; so it is before a request is refused.
        """
        cached = await self._lookup.cached(ctx, session_id, revision)
        if cached is not None:
            with self._lookup.trying(ctx, session_id):
                try:
                    state, answer = await change(cached)
                except (SessionError, InvalidRequest) as error:  # it may be gone, or of another model now
                    raise Stale from error
                return answer, await self.save(ctx, cached, state)
        return await self._update(ctx, session_id, change, revision)

    async def _update(
        self, ctx: RequestContext, session_id: str, change: Change[T], revision: int | None
    ) -> tuple[T, SessionRecord]:
        for _ in range(_ATTEMPTS - 1):
            opened = await self.open(ctx, session_id, revision=revision)
            state, answer = await change(opened)
            try:
                return answer, await self.save(ctx, opened, state)
            except SessionBusy:
                continue
        opened = await self.open(ctx, session_id, revision=revision)
        state, answer = await change(opened)
        return answer, await self.save(ctx, opened, state)

    def seal(self, ctx: RequestContext, model: Model, state: SessionState) -> bytes:
        """Returns the bytes of a state of the principal's."""
        return self._codec.seal(state, owner=ctx.owner, digest=model.graph.digest)

    def unseal(self, ctx: RequestContext, model: Model, sealed: bytes) -> SessionState:
        """Returns the state of bytes; raises StateInvalid, StateModelMismatch."""
        graph = model.graph
        return self._codec.open(sealed, owner=ctx.owner, digest=graph.digest, shapes=graph.state_shapes)
