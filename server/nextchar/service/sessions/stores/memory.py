"""Stores sessions in the memory of this process."""

from collections import Counter
from dataclasses import replace

from nextchar.service.sessions.stores.base import (
    UNLIMITED_BYTES,
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    Tidied,
)
from nextchar.service.sessions.stores.steady_clock import SteadyClock


class MemoryStore:
    """Implements `SessionStore` in this process; sessions end with it."""

    durable, local = False, True

    def __init__(self) -> None:
        self._clock = SteadyClock()
        self._records: dict[tuple[str, str], SessionRecord] = {}
        self._num_kept: Counter[str] = Counter()
        self._num_bytes: Counter[str] = Counter()
        self._counted_until = 0.0  # the expiries that `tidy` has told of

    async def time(self) -> float:
        return self._clock.now()

    async def check_key(self, fingerprint: str) -> bool:  # noqa: ARG002
        return True  # the sessions and the key end together

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        key = record.owner, record.session_id
        kept = self._records.get(key)
        if kept is not None and kept.expires_at > now:
            return False
        self._put(record)
        return True

    def _put(self, record: SessionRecord) -> None:
        key = record.owner, record.session_id
        kept = self._records.get(key)
        self._num_kept[record.owner] += kept is None
        self._num_bytes[record.owner] += len(record.sealed) - (0 if kept is None else len(kept.sealed))
        self._records[key] = record

    async def load(self, owner: str, session_id: str) -> SessionRecord | None:
        return self._records.get((owner, session_id))

    async def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool:
        kept = self._records.get((record.owner, record.session_id))
        named = revision, record.created, record.ttl_seconds
        if kept is None or (kept.revision, kept.created, kept.ttl_seconds) != named:
            return False
        growth, num_bytes = len(record.sealed) - len(kept.sealed), self._num_bytes[record.owner]
        if growth > 0 and num_bytes + growth > max_bytes:
            raise QuotaExceeded(num_bytes)
        self._put(record)
        return True

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        kept = self._records.get((owner, session_id))
        if kept is not None:
            self._records[owner, session_id] = replace(kept, ttl_seconds=ttl_seconds, expires_at=expires_at)

    async def delete(self, owner: str, session_id: str) -> bool:
        removed = self._records.pop((owner, session_id), None)
        if removed is None:
            return False
        self._num_kept[owner] -= 1
        self._num_bytes[owner] -= len(removed.sealed)
        return True

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        mine = sorted(key for key, kept in self._records.items() if key[0] == owner and kept.expires_at > now)
        return [replace(self._records[key], sealed=b"") for key in mine if key[1] > after][:limit]

    async def count(self, owner: str | None, *, now: float) -> int:
        return sum(
            kept.expires_at > now for key, kept in self._records.items() if owner is None or key[0] == owner
        )

    async def tidy(self, *, now: float, before: float) -> Tidied:
        times = [kept.expires_at for kept in self._records.values() if kept.expires_at > self._counted_until]
        num_expired = sum(time <= now or time < before for time in times)
        self._counted_until = max(self._counted_until, now)
        old = [key for key, kept in self._records.items() if kept.expires_at < before]
        for owner, session_id in old:
            await self.delete(owner, session_id)
        return Tidied(num_expired, 0)

    async def kept(self, owner: str) -> OwnerUsage:
        return OwnerUsage(self._num_kept[owner], self._num_bytes[owner])

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        times = [kept.expires_at for key, kept in self._records.items() if key[0] == owner]
        return min((time for time in times if time > after), default=None)

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        wanted = model, version
        return sum(r.expires_at > now and (r.model, r.version) == wanted for r in self._records.values())

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:  # noqa: ARG002
        return False  # quotas limit what is stored

    async def close(self) -> None:
        self._records.clear()
