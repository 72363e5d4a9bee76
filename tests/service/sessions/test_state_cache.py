"""The cache of states: it returns a state for the very bytes it was sealed into, within its size."""

from dataclasses import replace

from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.state_cache import StateCache
from nextchar.service.sessions.stores.base import SessionRecord

_RECORD = SessionRecord("ann", "one", "tiny", "1", "d1", 1, 5, 1.0, 60.0, 2e9, b"sealed")


def test_a_state_is_returned_for_its_own_bytes_only() -> None:
    cache, state = StateCache(), SessionState(1)
    assert cache.get(_RECORD) is None
    cache.put(_RECORD, state)
    assert cache.get(_RECORD) is state
    assert cache.get(replace(_RECORD, expires_at=3e9)) is state
    for other in (
        replace(_RECORD, sealed=b"others"),
        replace(_RECORD, digest="d2"),
        replace(_RECORD, owner="bob"),
        replace(_RECORD, session_id="two"),
    ):
        assert cache.get(other) is None


def test_a_dropped_session_is_forgotten() -> None:
    cache = StateCache()
    cache.put(_RECORD, SessionState(1))
    cache.drop("ann", "one")
    cache.drop("ann", "never")
    assert cache.get(_RECORD) is None


def test_the_states_used_least_recently_make_room() -> None:
    cache, states = StateCache(max_bytes=30), [SessionState(k) for k in range(6)]
    records = [replace(_RECORD, session_id=str(k), sealed=bytes(10)) for k in range(6)]
    for k in range(3):
        cache.put(records[k], states[k])
    assert cache.get(records[0]) is states[0]  # used, so the next to go is 1
    cache.put(records[3], states[3])
    assert [cache.get(record) for record in records[:4]] == [states[0], None, states[2], states[3]]
    cache.put(replace(records[4], sealed=bytes(31)), states[4])  # more than there is room for at all
    assert cache.get(records[3]) is states[3]
    cache.put(replace(records[3], sealed=bytes(30)), states[5])  # in place of the smaller one
    assert [cache.get(record) for record in records[:4]] == [None] * 4
