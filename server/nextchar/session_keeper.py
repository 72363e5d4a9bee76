"""Sessions at rest and back: looks them up, opens what is sealed, writes the next revision, one at a time."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from nextchar.call import Call
from nextchar.errors import (
    InternalError,
    ModelNotFound,
    SessionConflict,
    SessionExpired,
    SessionLimit,
    SessionNotFound,
    StateInvalid,
    StateModelMismatch,
)
from nextchar.intake import Intake
from nextchar.limits import SessionLimits
from nextchar.repository import Model
from nextchar.session import SessionState
from nextchar.session_codec import StateCodec
from nextchar.session_store import Record, SessionStore

_ID_BYTES = 16  # random ones, 128 bits
_GRACE_SECONDS = 3600.0  # how long an expired session is still told from one that never was
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as it was read: its record, its model, its state."""

    record: Record
    model: Model
    state: SessionState


class SessionKeeper:
    """Over one store and one key."""

    def __init__(self, store: SessionStore, codec: StateCodec, intake: Intake, limits: SessionLimits) -> None:
        self._store, self._codec, self._intake, self._limits = store, codec, intake, limits
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
            SessionConflict: the id is in use (`session_exists`).
            SessionLimit: the caller has as many as one may have.
        """
        now = time.time()
        count = await self._store.count(call.owner, now=now)
        if count >= self._limits.max_sessions:
            raise SessionLimit(f"{count} sessions are live, the limit is {self._limits.max_sessions}")
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
            raise SessionConflict(
                f"session {record.session_id!r} exists already", param="session_id", code="session_exists"
            )
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
        except StateInvalid as error:
            logger.error("the stored state of a session of %s is damaged", record.model)
            raise InternalError("the session's stored state is damaged; it cannot go on") from error
        return OpenSession(record, model, state)

    async def find(self, call: Call, session_id: str) -> Record:
        """A live session's record; raises as `open`."""
        record = await self._store.load(call.owner, session_id)
        if record is None:
            raise SessionNotFound(f"there is no session {session_id[:128]!r}", param="session_id")
        if record.expires_at <= time.time():
            raise SessionExpired(
                f"session {session_id!r} was not used for {record.ttl_seconds:g} s and has expired",
                param="session_id",
            )
        return record

    async def keep(self, call: Call, opened: OpenSession, state: SessionState) -> Record:
        """Write a session's next revision; it lives on from now.

        Raises:
            SessionConflict: somebody else wrote one meanwhile (`session_busy`).
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
            raise SessionConflict(
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
        await self.find(call, session_id)
        await self._store.delete(call.owner, session_id)

    async def page(self, call: Call, *, after: str, limit: int) -> list[Record]:
        """The caller's live sessions by id."""
        return await self._store.page(call.owner, after=after, limit=limit, now=time.time())

    async def purge(self) -> int:
        """Forget sessions that expired a while ago; how many."""
        return await self._store.purge(before=time.time() - _GRACE_SECONDS)

    def seal(self, call: Call, model: Model, state: SessionState) -> bytes:
        return self._codec.seal(state, owner=call.owner, digest=model.graph.digest)

    def unseal(self, call: Call, model: Model, sealed: bytes) -> SessionState:
        """Raises StateInvalid."""
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
