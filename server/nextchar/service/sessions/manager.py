"""Loads, unseals and saves sessions."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

from nextchar.errors import (
    InternalError,
    SessionBusy,
    SessionEvicted,
    SessionExists,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
    StateInvalid,
)
from nextchar.repository.model import Model
from nextchar.schemas.limits import SessionLimits
from nextchar.schemas.sessions import is_session_id
from nextchar.security.principal import Scope
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.quota import SessionQuota
from nextchar.service.sessions.session_locks import SessionLocks
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.state_cache import StateCache
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.base import LoadedSession, SessionRecord
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.request_context import RequestContext
from nextchar.telemetry.session_metrics import SessionMetrics

_ID_BYTES = 16  # random ones, 128 bits
_ATTEMPTS = 3  # of an update, when another server has written first
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as it was loaded: its record, its model, its state, the bytes of its owner's states."""

    record: SessionRecord
    model: Model
    state: SessionState
    owner_bytes: int


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
        self._quota, self._states = SessionQuota(store, limits, clock), StateCache()
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
        own = self._limits.ttl_seconds_by_model.get(model.name, self._limits.ttl_seconds)
        ttl = own if ttl_seconds is None else ttl_seconds
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
        loaded = await self._load(ctx, session_id)
        record = loaded.record
        if revision is not None and revision != record.revision:
            raise SessionMoved(
                f"if_revision is {revision}, the session is at revision {record.revision}, position "
                f"{record.position}",
                param="if_revision",
            )
        model = await self._versions.own(record, ctx)
        try:
            if model is None:
                return await self._replayed(loaded, ctx)
            state = self._states.get(record)
            if state is None:
                state = self.unseal(ctx, model, record.sealed)
            return OpenSession(record, model, state, loaded.owner_bytes)
        except StateInvalid as error:
            self._metrics.broke(record.owner, record.session_id, record.created)
            logger.error("a session of model %s cannot go on: its stored %s", record.model, error.message)
            raise InternalError(f"the session cannot go on: its stored {error.message}") from error

    async def model_of(self, ctx: RequestContext, session_id: str) -> str:
        """Returns the name of a session's model, whether that is served or not; raises as `open`."""
        return (await self._load(ctx, session_id)).record.model

    async def _replayed(self, loaded: LoadedSession, ctx: RequestContext) -> OpenSession:
        """Replays and saves a session, whose version is unloaded, in the newest version."""
        model, state = await self._versions.replayed(loaded.record, ctx)
        record = replace(loaded.record, version=model.version, digest=model.graph.digest)
        opened = OpenSession(record, model, state, loaded.owner_bytes)
        saved = await self.save(ctx, opened, state)
        self._metrics.replayed()
        growth = len(saved.sealed) - len(record.sealed)
        return replace(opened, record=saved, owner_bytes=loaded.owner_bytes + growth)

    async def _load(self, ctx: RequestContext, session_id: str) -> LoadedSession:
        """Loads a session's record; raises as `open`."""
        ctx.session_id = session_id
        ctx.principal.require(Scope.SESSIONS)
        known = is_session_id(session_id)  # no other id can exist
        loaded = await self._store.load(ctx.owner, session_id) if known else None
        now = await self._clock.now()
        if loaded is None:
            self._metrics.looked_up("missing")
            if known and await self._store.was_evicted(ctx.owner, session_id, now=now):
                raise SessionEvicted(
                    f"the store has evicted session {session_id!r} to make room", param="session_id"
                )
            raise SessionNotFound(f"there is no session {session_id[:128]!r}", param="session_id")
        if loaded.record.expires_at <= now:
            self._metrics.looked_up("expired")
            raise SessionExpired(
                f"session {session_id!r} was not used for {loaded.record.ttl_seconds:g} s and has expired",
                param="session_id",
            )
        self._metrics.found(ctx.owner, session_id)
        return loaded

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
        growth = len(record.sealed) - len(old.sealed)
        await self._quota.check_growth(ctx.owner, opened.owner_bytes, growth)
        ctx.check_client()
        if not await self._store.replace(record, revision=old.revision):
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
        return replace(record, ttl_seconds=ttl_seconds, expires_at=expires_at)

    async def end(self, ctx: RequestContext, session_id: str) -> None:
        """Deletes a session after the requests that came before; those that come meanwhile are refused."""
        ctx.session_id = session_id
        async with self._locks.closing((ctx.owner, session_id)):
            await self.delete(ctx, session_id)

    async def delete(self, ctx: RequestContext, session_id: str) -> None:
        """Deletes a session that the request holds; raises as `open` where there is none."""
        self._states.drop(ctx.owner, session_id)
        try:
            record = (await self._load(ctx, session_id)).record
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
        self,
        ctx: RequestContext,
        session_id: str,
        change: Callable[[OpenSession], Awaitable[tuple[SessionState, T]]],
        *,
        revision: int | None,
    ) -> tuple[T, SessionRecord]:
        """Loads a session, changes it and saves it; retries if another server has saved it meanwhile.

        Raises:
            SessionMoved: it is not at `revision`, if one is given.
            SessionBusy: other servers were faster every time.
        """
        async with self.exclusive(ctx, session_id):
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
