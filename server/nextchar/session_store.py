"""Where sessions are kept: the interface, and the store in memory.

Every write names the revision it replaces, so two writers cannot fork a session silently: one of them is
told that it came too late. What a call has returned from is kept.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """A session at rest. Times are Unix seconds; `sealed` is what `StateCodec.seal` gave."""

    owner: str
    session_id: str
    model: str
    version: str
    digest: str
    revision: int
    position: int
    created: float
    ttl_seconds: float
    expires_at: float
    sealed: bytes


class SessionStore(Protocol):
    """Raises Unavailable from any call while the store cannot be reached."""

    async def create(self, record: Record, *, now: float) -> bool:
        """Keep a new session; false if its id is in use by one that has not expired."""

    async def load(self, owner: str, session_id: str) -> Record | None:
        """The session, expired or not."""

    async def replace(self, record: Record, *, revision: int) -> bool:
        """Keep a session's next revision; false if `revision` is not the one that is kept."""

    async def touch(self, owner: str, session_id: str, *, expires_at: float) -> None:
        """Let a session expire later; nothing if it is gone."""

    async def delete(self, owner: str, session_id: str) -> bool:
        """Forget a session; false if there is none."""

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[Record]:
        """An owner's live sessions by id, those after `after`; without their states."""

    async def count(self, owner: str | None, *, now: float) -> int:
        """How many sessions of an owner, or of all, are live; looks at each."""

    async def num_kept(self, owner: str) -> int:
        """How many sessions of an owner are kept, expired ones included; looks at none."""

    async def purge(self, *, before: float) -> int:
        """Forget the sessions that expired before a time; how many."""

    async def close(self) -> None:
        """Let go of what the store holds."""


class MemoryStore:
    """In this process only: gone with it."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._num_kept: Counter[str] = Counter()

    async def create(self, record: Record, *, now: float) -> bool:
        key = record.owner, record.session_id
        kept = self._records.get(key)
        if kept is not None and kept.expires_at > now:
            return False
        self._num_kept[record.owner] += kept is None
        self._records[key] = record
        return True

    async def load(self, owner: str, session_id: str) -> Record | None:
        return self._records.get((owner, session_id))

    async def replace(self, record: Record, *, revision: int) -> bool:
        key = record.owner, record.session_id
        kept = self._records.get(key)
        if kept is None or kept.revision != revision:
            return False
        self._records[key] = record
        return True

    async def touch(self, owner: str, session_id: str, *, expires_at: float) -> None:
        kept = self._records.get((owner, session_id))
        if kept is not None:
            self._records[owner, session_id] = replace(kept, expires_at=expires_at)

    async def delete(self, owner: str, session_id: str) -> bool:
        found = self._records.pop((owner, session_id), None) is not None
        self._num_kept[owner] -= found
        return found

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[Record]:
        mine = sorted(key for key, kept in self._records.items() if key[0] == owner and kept.expires_at > now)
        return [replace(self._records[key], sealed=b"") for key in mine if key[1] > after][:limit]

    async def count(self, owner: str | None, *, now: float) -> int:
        return sum(
            kept.expires_at > now for key, kept in self._records.items() if owner is None or key[0] == owner
        )

    async def purge(self, *, before: float) -> int:
        old = [key for key, kept in self._records.items() if kept.expires_at < before]
        for owner, session_id in old:
            await self.delete(owner, session_id)
        return len(old)

    async def num_kept(self, owner: str) -> int:
        return self._num_kept[owner]

    async def close(self) -> None:
        self._records.clear()
