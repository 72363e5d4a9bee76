"""Caches the states of sessions that were saved last, so that a busy session is not unsealed each time."""

from collections import OrderedDict
from dataclasses import dataclass

from nextchar.service.sessions.codec import state_bytes
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stores.base import SessionRecord

MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Cached:
    sealed: bytes
    digest: str
    state: SessionState
    num_bytes: int  # of its arrays, or of the sealed bytes if they are more


class StateCache:
    """Maps the sealed bytes of a session to its state.

    The store has the truth: a state is only returned for the very bytes that it was sealed into.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self._cached: OrderedDict[tuple[str, str], _Cached] = OrderedDict()

    def get(self, record: SessionRecord) -> SessionState | None:
        """Returns the state of a record as it was loaded, if it is cached."""
        key = record.owner, record.session_id
        cached = self._cached.get(key)
        if cached is None or cached.sealed != record.sealed or cached.digest != record.digest:
            return None
        self._cached.move_to_end(key)
        return cached.state

    def put(self, record: SessionRecord, state: SessionState) -> None:
        """Caches the state of a record that was saved; drops the states that were used least recently."""
        self.drop(record.owner, record.session_id)
        num_bytes = max(len(record.sealed), state_bytes(state))
        if num_bytes > self._max_bytes:
            return
        self._cached[record.owner, record.session_id] = _Cached(
            record.sealed, record.digest, state, num_bytes
        )
        self._num_bytes += num_bytes
        while self._num_bytes > self._max_bytes:
            _, dropped = self._cached.popitem(last=False)
            self._num_bytes -= dropped.num_bytes

    def drop(self, owner: str, session_id: str) -> None:
        """Forgets a session."""
        dropped = self._cached.pop((owner, session_id), None)
        if dropped is not None:
            self._num_bytes -= dropped.num_bytes
