"""The interface of session stores.

Every write names what it replaces, so that two writers cannot fork a session silently: one of them fails.
What a call has returned from is stored.
"""

from dataclasses import dataclass
from typing import Protocol

GRACE_SECONDS = 3600.0  # for which an expired session is still known as expired
UNLIMITED_BYTES = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A stored session. Times are Unix seconds; `sealed` is what `StateCodec.seal` returned."""

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
class OwnerUsage:
    """What one owner has in a store; `num_bytes` of sealed states."""

    num_sessions: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many sessions have ended since a store was last tidied, by any server: each is told of once.

    They have expired, or were evicted to make room.
    """

    num_expired: int
    num_evicted: int

    def __add__(self, more: "Tidied") -> "Tidied":
        return Tidied(self.num_expired + more.num_expired, self.num_evicted + more.num_evicted)


class QuotaExceeded(Exception):
    """An owner would have more bytes of states than allowed; `num_bytes` are those that it has."""

    def __init__(self, num_bytes: int) -> None:
        super().__init__(f"the owner has {num_bytes} bytes")
        self.num_bytes = num_bytes


class SessionStore(Protocol):
    """Raises Unavailable from any call while the store cannot be reached, and then nothing was done.

    A write may also raise OutcomeUnknown: it may have been done. All times are of the store's own clock, so
    that servers whose clocks differ agree on what has expired.
    """

    durable: bool  # whether it outlives the process
    # Whether it is on this machine. A write to another may be in doubt when the connection is lost: a read
    # before it finds most of those, and is refused for certain.
    local: bool

    async def time(self) -> float:
        """Returns what the store's clock shows, in Unix seconds."""

    async def check_key(self, fingerprint: str) -> bool:
        """Keeps the first fingerprint of a key that seals states; returns whether it is the one given."""

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        """Stores a new session; returns false if its id is in use by one that has not expired."""

    async def load(self, owner: str, session_id: str) -> SessionRecord | None:
        """Returns the session, expired or not."""

    async def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool:
        """Stores a session's next revision; returns false if it is not the stored session's.

        That is at `revision`, was created when the record was and has its time to live: the three name one
        state of one session, also if its id was deleted and used again.

        Raises:
            QuotaExceeded: the session has grown, and its owner would have more than `max_bytes` in all.
        """

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        """Renews a session, whose state and revision stay; does nothing if it is gone."""

    async def delete(self, owner: str, session_id: str) -> bool:
        """Deletes a session; returns false if there is none."""

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        """Returns an owner's unexpired sessions by id, those after `after`, without their states."""

    async def count(self, owner: str | None, *, now: float) -> int:
        """Counts the unexpired sessions of an owner, or of all; looks at each."""

    async def kept(self, owner: str) -> OwnerUsage:
        """Returns what an owner has in the store, expired sessions included; looks at none."""

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        """Returns when the first of an owner's sessions expires that do so after a time."""

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        """Counts the unexpired sessions of a model's version."""

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:
        """Returns whether the store has evicted a session, which is unexpired, to make room."""

    async def tidy(self, *, now: float, before: float) -> Tidied:
        """Deletes sessions that expired before a time; counts those that have ended since the last time."""

    async def close(self) -> None:
        """Releases what the store holds."""
