"""Sessions at rest and back: looks them up, opens what is sealed, writes the next revision, one at a time."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar
from weakref import WeakValueDictionary

from nextchar.call import Call
from nextchar.caller import Scope
from nextchar.errors import (
    InternalError,
    ModelNotFound,
    SessionBusy,
    SessionExists,
    SessionExpired,
    SessionLimit,
    SessionNotFound,
    StateInvalid,
    StateModelMismatch,
    Unavailable,
)
from nextchar.intake import Intake
from nextchar.limits import SessionLimits
from nextchar.observed_store import ObservedStore
from nextchar.repository import Model
from nextchar.session import SessionState
from nextchar.session_codec import StateCodec
from nextchar.session_metrics import SessionMetrics
from nextchar.session_schemas import SESSION_ID
from nextchar.session_store import Record, SessionStore

_ID_BYTES = 16  # random ones, 128 bits
GRACE_SECONDS = 3600.0  # how long an expired session is still told from one that never was
_TIDY_SECONDS = 15.0
_ATTEMPTS = 3  # at a change, when another server was quicker
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as it was read: its record, its model, its state."""

    record: Record
    model: Model
    state: SessionState


class SessionKeeper:
    """Over one store and one key."""

    def __init__(
        self,
        store: SessionStore,
        codec: StateCodec,
        intake: Intake,
        limits: SessionLimits,
        metrics: SessionMetrics,
    ) -> None:
        self._store, self._codec, self._intake = ObservedStore(store, metrics), codec, intake
        self._limits, self._metrics = limits, metrics
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def in_order(self, call: Call, session_id: str) -> AsyncIterator[None]:
        """One call after the other for each session, in order of arrival."""
        key = call.owner, session_id
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield

    async def create(
        self,
        call: Call,
        model: Model,
        state: SessionState,
        *,
        session_id: str | None,
        ttl_seconds: float | None,
    ) -> Record:
        """Keep a new session.

        Raises:
            SessionExists: the id is in use.
            SessionLimit: the caller has as many as one may have.
        """
        call.caller.require(Scope.SESSIONS)  # here, whichever door and route the call came through
        now = time.time()
        limit = self._limits.max_sessions
        if await self._store.num_kept(call.owner) >= limit:
            count = await self._store.count(call.owner, now=now)
            if count >= limit:
                raise SessionLimit(f"{count} sessions are live, the limit is {limit}")
        ttl = self._limits.ttl_seconds if ttl_seconds is None else ttl_seconds
        record = Record(
            owner=call.owner,
            session_id=session_id or f"sess-{secrets.token_urlsafe(_ID_BYTES)}",
            model=model.name,
            version=model.version,
            digest=model.graph.digest,
            revision=1,
            position=state.here.position,
            created=now,
            ttl_seconds=ttl,
            expires_at=now + ttl,
            sealed=self.seal(call, model, state),
        )
        if not await self._store.create(record, now=now):
            raise SessionExists(f"session {record.session_id!r} exists already", param="session_id")
        self._metrics.created()
        self._metrics.saw(call.owner, record.session_id)
        return record

    async def open(self, call: Call, session_id: str) -> OpenSession:
        """A live session, ready to go on.

        Raises:
            SessionNotFound, SessionExpired: there is none, or no more.
            StateModelMismatch: its model's version is not served here any more.
        """
        record = await self.find(call, session_id)
        model = self._model(call, record)
        try:
            state = self.unseal(call, model, record.sealed)
        except (StateInvalid, StateModelMismatch) as error:
            logger.error("the stored state of a session of %s is damaged", record.model)
            raise InternalError("the session's stored state is damaged; it cannot go on") from error
        return OpenSession(record, model, state)

    async def find(self, call: Call, session_id: str) -> Record:
        """A live session's record; raises as `open`."""
        call.caller.require(Scope.SESSIONS)
        known = re.fullmatch(SESSION_ID, session_id)  # no other can have been made: the store is not asked
        record = await self._store.load(call.owner, session_id) if known else None
        if record is None:
            self._metrics.looked_up("missing")
            raise SessionNotFound(f"there is no session {session_id[:128]!r}", param="session_id")
        if _over(record):
            self._metrics.looked_up("expired")
            raise SessionExpired(
                f"session {session_id!r} was not used for {record.ttl_seconds:g} s and has expired",
                param="session_id",
            )
        self._metrics.found(call.owner, session_id)
        return record

    async def keep(self, call: Call, opened: OpenSession, state: SessionState) -> Record:
        """Write a session's next revision; it lives on from now.

        Raises:
            SessionBusy: somebody else wrote one meanwhile.
        """
        old = opened.record
        record = replace(
            old,
            revision=old.revision + 1,
            position=state.here.position,
            expires_at=time.time() + old.ttl_seconds,
            sealed=self.seal(call, opened.model, state),
        )
        if not await self._store.replace(record, revision=old.revision):
            self._metrics.conflict()
            raise SessionBusy(
                f"session {old.session_id!r} was changed or ended by another call meanwhile; it is not moved"
            )
        return record

    async def touch(self, opened: OpenSession) -> None:
        """A session was used and not changed: it lives on from now."""
        record = opened.record
        expires_at = time.time() + record.ttl_seconds
        await self._store.touch(record.owner, record.session_id, expires_at=expires_at)

    async def delete(self, call: Call, session_id: str) -> None:
        """Raises as `open` for what is not there."""
        record = await self.find(call, session_id)
        if await self._store.delete(call.owner, session_id):
            self._metrics.ended_at(time.time() - record.created, record.position)

    async def page(self, call: Call, *, after: str, limit: int) -> list[Record]:
        """The caller's live sessions by id."""
        call.caller.require(Scope.SESSIONS)
        return await self._store.page(call.owner, after=after, limit=limit, now=time.time())

    async def tidy_for_ever(self) -> None:
        """Now and then, forget the sessions that expired a while ago, and count the live ones."""
        while True:
            try:
                self._metrics.ended("idle", await self._store.purge(before=time.time() - GRACE_SECONDS))
                self._metrics.set_active(await self._store.count(None, now=time.time()))
            except Unavailable as error:
                logger.warning("the session store cannot be tidied now: %s", error)
            await asyncio.sleep(_TIDY_SECONDS)

    async def changed(
        self,
        call: Call,
        session_id: str,
        change: Callable[[OpenSession], Awaitable[tuple[SessionState, T]]],
    ) -> tuple[T, Record]:
        """Read a session, change it, write it; anew if another server was quicker.

        Raises:
            SessionBusy: others were quicker every time.
        """
        async with self.in_order(call, session_id):
            for _ in range(_ATTEMPTS - 1):
                opened = await self.open(call, session_id)
                state, answer = await change(opened)
                try:
                    return answer, await self.keep(call, opened, state)
                except SessionBusy:
                    continue
            opened = await self.open(call, session_id)
            state, answer = await change(opened)
            return answer, await self.keep(call, opened, state)

    def seal(self, call: Call, model: Model, state: SessionState) -> bytes:
        return self._codec.seal(state, owner=call.owner, digest=model.graph.digest)

    def unseal(self, call: Call, model: Model, sealed: bytes) -> SessionState:
        """Raises StateInvalid, StateModelMismatch."""
        graph = model.graph
        return self._codec.open(sealed, owner=call.owner, digest=graph.digest, shapes=graph.state_shapes)

    def _model(self, call: Call, record: Record) -> Model:
        try:
            model = self._intake.model(f"{record.model}:{record.version}", call)
        except ModelNotFound as error:
            raise StateModelMismatch(
                f"the session is of model {record.model}:{record.version}, which is not served here"
            ) from error
        if model.graph.digest != record.digest:
            raise StateModelMismatch(
                f"the session is of another file of model {record.model}:{record.version} than the one served"
            )
        return model


def _over(record: Record) -> bool:
    return record.expires_at <= time.time()
