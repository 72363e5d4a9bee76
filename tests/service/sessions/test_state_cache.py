"""The cache of states: a state for the very bytes it was sealed into, and what a feed goes on from.

A feed goes on from the state that this server has, and never from one that another server has moved.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from support.in_process import Sessions, in_process, owner_context
from support.session_stores import CountingStore

from nextchar.errors import (
    QueueFull,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
    StateModelMismatch,
    UnknownCharacter,
)
from nextchar.schemas.sessions import RenewRequest
from nextchar.service.sessions.lookup import OpenSession
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.state_cache import StateCache
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.memory import MemoryStore

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


@pytest.fixture
def store(sessions: Sessions) -> CountingStore:
    """Counts the calls of the store of `sessions`, which has one session."""
    sessions.create(prime="abc")
    observed = sessions.made.service.session_manager._store
    counting = CountingStore(observed._store)
    observed._store = counting
    return counting


def _record(sessions: Sessions) -> SessionRecord:
    return sessions.store._records["ann", "one"]


def _moved_elsewhere(sessions: Sessions, **fields: object) -> None:
    sessions.store._records["ann", "one"] = replace(_record(sessions), **fields)


def test_it_is_saved_without_a_look_at_the_store(sessions: Sessions, store: CountingStore) -> None:
    assert sessions.feed("d").position == 4
    assert sessions.feed("e").position == 5
    assert store.calls == ["replace"] * 2
    assert sessions.metric("nextchar_session_lookups_total", result="hit") == 2


def _lookups(sessions: Sessions) -> dict[str, float]:
    results = ("hit", "missing", "expired", "restored")
    found = {r: sessions.metric("nextchar_session_lookups_total", result=r) for r in results}
    return {result: number for result, number in found.items() if number}


def _gone_elsewhere(sessions: Sessions) -> None:
    del sessions.store._records["ann", "one"]


@pytest.mark.parametrize(
    ("happens", "result"),
    [
        (_record, "hit"),  # it is only looked at
        (lambda sessions: _moved_elsewhere(sessions, revision=7), "hit"),
        (lambda sessions: _moved_elsewhere(sessions, created=1.0, expires_at=1.0), "expired"),
        (_gone_elsewhere, "missing"),
    ],
    ids=["nothing", "moved", "expired", "deleted"],
)
def test_a_lookup_is_counted_once_as_what_the_store_says(
    sessions: Sessions, happens: Callable[[Sessions], object], result: str
) -> None:
    sessions.create(prime="abc")
    happens(sessions)
    if result == "hit":
        sessions.feed("d")
    else:
        with pytest.raises((SessionExpired, SessionNotFound)):
            sessions.feed("d")
    assert _lookups(sessions) == {result: 1}


def test_a_request_that_fails_after_it_has_found_its_session_has_looked_it_up_once(
    sessions: Sessions,
) -> None:
    sessions.create()

    async def failing(_opened: OpenSession) -> tuple[SessionState, None]:
        raise QueueFull("the queue is full")

    manager = sessions.made.service.session_manager
    with pytest.raises(QueueFull):
        sessions.made.run(manager.move_on(owner_context(), "one", failing, revision=None))
    assert _lookups(sessions) == {"hit": 1}


def test_a_change_that_is_tried_again_has_looked_up_once(sessions: Sessions) -> None:
    sessions.create()
    revisions: list[int] = []

    async def changed(opened: OpenSession) -> tuple[SessionState, None]:
        revisions.append(opened.record.revision)
        if len(revisions) < 3:  # meanwhile another server was faster
            _moved_elsewhere(sessions, revision=opened.record.revision + 1)
        return opened.state, None

    manager = sessions.made.service.session_manager
    sessions.made.run(manager.update(owner_context(), "one", changed, revision=None))
    assert revisions == [1, 2, 3]
    assert _lookups(sessions) == {"hit": 1}


def test_a_session_that_another_server_has_moved_is_loaded(sessions: Sessions, store: CountingStore) -> None:
    sessions.create("two", prime="abcd")
    other = sessions.store._records["ann", "two"]
    _moved_elsewhere(sessions, revision=2, sealed=other.sealed, position=4)
    store.calls.clear()
    assert sessions.feed("e").logprob == sessions.feed("e", "two").logprob
    assert store.calls == ["replace", "load", "replace", "replace"]
    assert sessions.info().revision == 3
    assert sessions.metric("nextchar_session_conflicts_total") == 0


def test_a_session_that_another_server_has_deleted_is_not_found(
    sessions: Sessions, store: CountingStore
) -> None:
    del sessions.store._records["ann", "one"]
    with pytest.raises(SessionNotFound):
        sessions.feed("d")
    assert store.calls[:2] == ["replace", "load"]


def test_a_session_of_the_same_name_and_revision_is_another(sessions: Sessions, store: CountingStore) -> None:
    sessions.create("two", prime="xyz")
    other = sessions.store._records["ann", "two"]
    _moved_elsewhere(sessions, created=other.created, sealed=other.sealed)
    store.calls.clear()
    assert sessions.feed("d").logprob == sessions.feed("d", "two").logprob
    assert store.calls == ["replace", "load", "replace", "replace"]


def test_one_that_another_server_has_given_less_time_does_not_outlive_it(
    sessions: Sessions, store: CountingStore
) -> None:
    _moved_elsewhere(sessions, ttl_seconds=1.0, expires_at=_record(sessions).created - 1)
    with pytest.raises(SessionExpired):
        sessions.feed("d")
    assert store.calls == ["replace", "load"]


def test_one_that_was_renewed_here_is_saved_at_once(sessions: Sessions, store: CountingStore) -> None:
    sessions.made.run(sessions.calls.renew("one", RenewRequest(ttl_seconds=500.0), owner_context()))
    store.calls.clear()
    assert sessions.feed("d").position == 4
    assert store.calls == ["replace"]
    assert _record(sessions).ttl_seconds == 500


def test_a_revision_that_it_has_not_is_looked_for_in_the_store(
    sessions: Sessions, store: CountingStore
) -> None:
    with pytest.raises(SessionMoved):
        sessions.feed("d", if_revision=2)
    assert store.calls == ["load"]
    assert sessions.feed("d", if_revision=1).revision == 2


def test_a_sequence_is_judged_by_what_the_store_has(sessions: Sessions, store: CountingStore) -> None:
    """A session of the same name may be of another model by now."""

    async def changed(opened: OpenSession) -> tuple[SessionState, int]:
        models.append(opened.model.name)
        if opened.model.name != "lines":
            raise StateModelMismatch("it is of another model")
        return opened.state, 7

    models: list[str] = []
    sessions.create("two", model="lines", prime="ab")
    _moved_elsewhere(sessions, **asdict(sessions.store._records["ann", "two"]) | {"session_id": "one"})
    manager = sessions.made.service.session_manager
    answer, _ = sessions.made.run(manager.move_on(owner_context(), "one", changed, revision=None))
    assert (answer, models) == (7, ["tiny", "lines"])
    assert store.calls[-2:] == ["load", "replace"]


def test_a_text_is_refused_for_what_the_store_has(sessions: Sessions, store: CountingStore) -> None:
    """A session of the same name may be of another model by now, which knows other characters, or be gone."""
    sessions.create("two", model="refusing", prime="ab")
    sessions.create("three", prime="ab")
    store.calls.clear()
    with pytest.raises(UnknownCharacter):
        sessions.feed("\N{SNOWMAN}", "two")
    assert store.calls == ["load"]
    moved = asdict(sessions.store._records["ann", "three"]) | {"session_id": "two"}
    sessions.store._records["ann", "two"] = SessionRecord(**moved)
    assert sessions.feed("\N{SNOWMAN}", "two").model == "tiny"
    sessions.create("four", model="refusing")
    del sessions.store._records["ann", "four"]
    with pytest.raises(SessionNotFound):
        sessions.feed("\N{SNOWMAN}", "four")


def test_where_a_write_may_be_in_doubt_the_store_is_looked_at_first(
    sessions: Sessions, store: CountingStore
) -> None:
    sessions.made.service.session_manager._store.local = False
    sessions.feed("d")
    assert store.calls == ["load", "replace"]


def test_servers_that_take_turns_over_one_store_read_one_text(models: Path) -> None:
    store = MemoryStore()
    with in_process(models, store=store) as one, in_process(models, store=store) as other:
        servers = [Sessions(one, store), Sessions(other, store)]
        servers[0].create()
        for k, letter in enumerate("the quick brown fox"):
            assert servers[k % 2].feed(letter).position == k + 1
        assert servers[0].info().revision == 20
