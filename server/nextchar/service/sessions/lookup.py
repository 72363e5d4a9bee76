"""Looks up sessions: in the store, or as this server has saved them last."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from nextchar.errors import SessionEvicted, SessionExpired, SessionNotFound
from nextchar.repository.model import Model
from nextchar.schemas.sessions import is_session_id
from nextchar.security.principal import Scope
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.state_cache import StateCache
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.request_context import RequestContext
from nextchar.telemetry.session_metrics import SessionMetrics


class Stale(Exception):
    """A cached session was moved, deleted or renewed by another server."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as it was loaded: its record, its model, its state."""

    record: SessionRecord
    model: Model
    state: SessionState
    is_cached: bool = False  # as this server has saved it last, without a look at the store


class SessionLookup:
    """Finds the principal's sessions, and counts what was found."""

    def __init__(
        self,
        store: InstrumentedStore,
        versions: SessionVersions,
        states: StateCache,
        metrics: SessionMetrics,
        clock: StoreClock,
    ) -> None:
        self._store, self._versions, self._states = store, versions, states
        self._metrics, self._clock = metrics, clock

    async def cached(self, ctx: RequestContext, session_id: str, revision: int | None) -> OpenSession | None:
        """Returns a session as this server has saved it last, if it is cached, alive and at `revision`.

        Another server may have moved it since: only a write that names what it replaces may go on from it.
        None where the store is to be looked at before each write.
        """
        ctx.session_id = session_id
        ctx.principal.require(Scope.SESSIONS)
        cached = self._states.latest(ctx.owner, session_id) if self._store.local else None
        if cached is None or cached.record.expires_at <= await self._clock.now():
            return None
        if revision not in (None, cached.record.revision):
            return None
        model = await self._versions.own(cached.record, ctx)
        if model is None:
            return None
        return OpenSession(cached.record, model, cached.state, is_cached=True)

    @contextmanager
    def trying(self, ctx: RequestContext, session_id: str) -> Iterator[None]:
        """Counts a cached session as found, unless `Stale` is raised inside, which ends here.

        It is then to be loaded, and is counted as what that finds.
        """
        stale = False
        try:
            yield
        except Stale:
            stale = True
        finally:
            if not stale:
                self._count(ctx, session_id)

    async def load(self, ctx: RequestContext, session_id: str) -> SessionRecord:
        """Loads a session's record; raises as `SessionManager.open`."""
        ctx.session_id = session_id
        ctx.principal.require(Scope.SESSIONS)
        known = is_session_id(session_id)  # no other id can exist
        loaded = await self._store.load(ctx.owner, session_id) if known else None
        now = await self._clock.now()
        if loaded is None:
            self._count(ctx, session_id, "missing")
            if known and await self._store.was_evicted(ctx.owner, session_id, now=now):
                raise SessionEvicted(
                    f"the store has evicted session {session_id!r} to make room", param="session_id"
                )
            raise SessionNotFound(f"there is no session {session_id[:128]!r}", param="session_id")
        if loaded.expires_at <= now:
            self._count(ctx, session_id, "expired")
            raise SessionExpired(
                f"session {session_id!r} was not used for {loaded.ttl_seconds:g} s and has expired",
                param="session_id",
            )
        self._count(ctx, session_id)
        return loaded

    def _count(
        self, ctx: RequestContext, session_id: str, fault: Literal["missing", "expired"] | None = None
    ) -> None:
        """Counts what a request's lookup found: once, however often it has to look."""
        if ctx.has_looked_up:
            return
        ctx.has_looked_up = True
        if fault is None:
            self._metrics.found(ctx.owner, session_id)
        else:
            self._metrics.looked_up(fault)
