"""Times each call of a session store."""

from nextchar.service.sessions.stores.base import (
    UNLIMITED_BYTES,
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    SessionStore,
    Tidied,
)
from nextchar.telemetry.session_metrics import SessionMetrics


class InstrumentedStore:
    """Wraps another store and observes how long its calls take."""

    def __init__(self, store: SessionStore, metrics: SessionMetrics) -> None:
        self._store, self._metrics = store, metrics
        self.durable, self.local = store.durable, store.local

    async def time(self) -> float:
        with self._metrics.timed("time"):
            return await self._store.time()

    async def check_key(self, fingerprint: str) -> bool:
        with self._metrics.timed("check_key"):
            return await self._store.check_key(fingerprint)

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        self._metrics.written(len(record.sealed))
        with self._metrics.timed("create"):
            return await self._store.create(record, now=now)

    async def load(self, owner: str, session_id: str) -> SessionRecord | None:
        with self._metrics.timed("load"):
            return await self._store.load(owner, session_id)

    async def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool:
        self._metrics.written(len(record.sealed))
        refused = None
        with self._metrics.timed("replace"):
            try:
                return await self._store.replace(record, revision=revision, max_bytes=max_bytes)
            except QuotaExceeded as error:  # no failure of the store
                refused = error
        raise refused

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        with self._metrics.timed("touch"):
            await self._store.touch(owner, session_id, ttl_seconds=ttl_seconds, expires_at=expires_at)

    async def delete(self, owner: str, session_id: str) -> bool:
        with self._metrics.timed("delete"):
            return await self._store.delete(owner, session_id)

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        with self._metrics.timed("page"):
            return await self._store.page(owner, after=after, limit=limit, now=now)

    async def count(self, owner: str | None, *, now: float) -> int:
        with self._metrics.timed("count"):
            return await self._store.count(owner, now=now)

    async def kept(self, owner: str) -> OwnerUsage:
        with self._metrics.timed("kept"):
            return await self._store.kept(owner)

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        with self._metrics.timed("next_expiry"):
            return await self._store.next_expiry(owner, after=after)

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        with self._metrics.timed("count_of"):
            return await self._store.count_of(model, version, now=now)

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:
        with self._metrics.timed("was_evicted"):
            return await self._store.was_evicted(owner, session_id, now=now)

    async def tidy(self, *, now: float, before: float) -> Tidied:
        with self._metrics.timed("tidy"):
            return await self._store.tidy(now=now, before=before)

    async def close(self) -> None:
        await self._store.close()
