"""Where sessions are kept: the interface.

Every write names the revision it replaces, so two writers cannot fork a session silently: one of them is
told that it came too late. What a call has returned from is kept.
"""

from dataclasses import dataclass
from typing import Protocol

GRACE_SECONDS = 3600.0  # how long an expired session is still told from one that never was


@dataclass(frozen=True, slots=True)
class SessionRecord:
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


@dataclass(frozen=True, slots=True)
class LoadedSession:
    """A session's record, and the bytes of all sealed states of its owner as they were then."""

    record: SessionRecord
    owner_bytes: int


@dataclass(frozen=True, slots=True)
class OwnerUsage:
    """What one owner has in a store; `num_bytes` of sealed states."""

    num_sessions: int
    num_bytes: int


class SessionStore(Protocol):
    """Raises Unavailable from any call while the store cannot be reached."""

    durable: bool  # whether it outlives the process

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        """Keep a new session; false if its id is in use by one that has not expired."""

    async def load(self, owner: str, session_id: str) -> LoadedSession | None:
        """Returns the session, expired or not, in one trip with what its quota is checked by."""

    async def replace(self, record: SessionRecord, *, revision: int) -> bool:
        """Keep a session's next revision; false if `revision` is not the one that is kept."""

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        """Let a session live on; nothing if it is gone. No revision: its state stays."""

    async def delete(self, owner: str, session_id: str) -> bool:
        """Forget a session; false if there is none."""

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        """An owner's live sessions by id, those after `after`; without their states."""

    async def count(self, owner: str | None, *, now: float) -> int:
        """How many sessions of an owner, or of all, are live; looks at each."""

    async def kept(self, owner: str) -> OwnerUsage:
        """What an owner has in the store, expired sessions included; looks at none."""

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        """When the first of an owner's sessions expires that do so after a time."""

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        """How many live sessions are of a model's version."""

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:
        """Whether the store has thrown out a session that would still live, to make room."""

    async def purge(self, *, before: float) -> int:
        """Forget the sessions that expired before a time; how many."""

    async def close(self) -> None:
        """Let go of what the store holds."""
