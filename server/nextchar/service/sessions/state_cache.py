"""Caches the states of sessions that were saved last, so that a busy session is not unsealed each time."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from nextchar.service.sessions.codec import ahead_bytes, state_bytes
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stores.base import SessionRecord

MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, eq=False)
class CachedSession:
    """A record as it was saved last, and its state; `num_bytes` of that, or of the sealed bytes if more."""

    record: SessionRecord
    state: SessionState
    num_bytes: int


class StateCache:
    """Maps the sealed bytes of a session to its state.

    The store has the truth: a state is only returned for the very bytes that it was sealed into, or as the
    latest that this server knows.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self._cached: OrderedDict[tuple[str, str], CachedSession] = OrderedDict()

    def get(self, record: SessionRecord) -> SessionState | None:
        """Returns the state of a record as it was loaded, if it is cached."""
        key = record.owner, record.session_id
        cached = self._cached.get(key)
        if cached is None:
            return None
        kept = cached.record
        if kept.sealed != record.sealed or kept.digest != record.digest:
            return None
        self._cached.move_to_end(key)
        return cached.state

    def latest(self, owner: str, session_id: str) -> CachedSession | None:
        """Returns a session as this server saved or renewed it last, if it is cached."""
        key = owner, session_id
        cached = self._cached.get(key)
        if cached is not None:
            self._cached.move_to_end(key)
        return cached

    def renew(self, record: SessionRecord) -> None:
        """Notes that a session was renewed, if the one that is cached is the same revision of it."""
        cached = self._cached.get((record.owner, record.session_id))
        if cached is None:
            return
        kept = cached.record
        if (kept.revision, kept.created) == (record.revision, record.created):
            self._cached[record.owner, record.session_id] = replace(cached, record=record)

    def put(self, record: SessionRecord, state: SessionState) -> None:
        """Caches the state of a record that was saved; drops the states that were used least recently."""
        self.drop(record.owner, record.session_id)
        num_bytes = max(len(record.sealed), state_bytes(state)) + ahead_bytes(state)
        if num_bytes > self._max_bytes:
            return
        self._cached[record.owner, record.session_id] = CachedSession(record, state, num_bytes)
        self._num_bytes += num_bytes
        while self._num_bytes > self._max_bytes:
            _, dropped = self._cached.popitem(last=False)
            self._num_bytes -= dropped.num_bytes

    def drop(self, owner: str, session_id: str) -> None:
        """Forgets a session."""
        dropped = self._cached.pop((owner, session_id), None)
        if dropped is not None:
            self._num_bytes -= dropped.num_bytes
