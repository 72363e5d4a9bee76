"""How long sessions live, how they end, and what is counted of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from support.in_process import Sessions, owner_context
from support.replacing import replace_in

from nextchar.errors import Unavailable
from nextchar.schemas.sessions import (
    FeedRequest,
    ForkRequest,
    RenewRequest,
    SampleRequest,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.service.sessions import maintenance as session_maintenance
from nextchar.service.sessions import store_clock
from nextchar.service.sessions.stores.base import Tidied
from nextchar.service.sessions.stores.memory import MemoryStore


def _shown(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Returns what sets the store's clock to a time, at most a minute after the last look at it."""
    ahead = sessions.made.service.session_manager._clock._ahead
    assert ahead is not None

    def show(moment: float) -> None:
        replace_in(monkeypatch, store_clock, "time", monotonic=lambda: moment - ahead)

    return show


def test_the_time_to_live_is_the_requests_or_the_models_or_the_servers(sessions: Sessions) -> None:
    before = time.time()
    assert sessions.create("a").ttl_seconds == 3600.0
    assert sessions.create("b", model="lines").ttl_seconds == 77.0
    assert sessions.create("c", model="lines", ttl_seconds=5.0).ttl_seconds == 5.0
    info = sessions.info("b")
    assert before - 30 < info.created < time.time() + 30  # by the clock of the store
    assert info.expires_at == info.created + 77.0
    fork = sessions.made.run(sessions.calls.fork("c", ForkRequest(session_id="d"), owner_context()))
    assert fork.ttl_seconds == 5.0
    run, renew = sessions.made.run, sessions.calls.renew
    for given, ttl in ((9.0, 9.0), (None, 9.0)):
        renewed = run(renew("c", RenewRequest(ttl_seconds=given), owner_context()))
        assert renewed.ttl_seconds == ttl == sessions.info("c").ttl_seconds
        assert renewed.expires_at == sessions.info("c").expires_at
        assert time.time() + ttl - 60 < renewed.expires_at < time.time() + ttl + 60


@pytest.mark.parametrize("use", ["feed", "next", "score", "sample"])
def test_use_renews_a_session(sessions: Sessions, use: str) -> None:
    sessions.create(ttl_seconds=500.0)
    (record,) = sessions.store._records.values()
    sessions.store._records["ann", "one"] = replace(record, expires_at=time.time() + 60)
    text, ctx = sessions.calls.text, owner_context()
    calls = {
        "feed": lambda: text.feed("one", FeedRequest(text=""), ctx),
        "next": lambda: text.next("one", SessionNextRequest(), ctx),
        "score": lambda: text.score("one", SessionScoreRequest(input=["a"]), ctx),
        "sample": lambda: text.sample("one", SampleRequest(max_tokens=1), ctx),
    }
    sessions.made.run(calls[use]())
    assert sessions.info().expires_at > time.time() + 400
    assert sessions.info().ttl_seconds == 500.0


def test_a_session_has_expired_at_its_moment(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sessions.create(ttl_seconds=2.5)
    show = _shown(sessions, monkeypatch)
    show(made.expires_at - 0.001)
    assert sessions.info().position == 0
    show(made.expires_at)
    expected = ("session_expired", "session_id", "session 'one' was not used for 2.5 s and has expired")
    assert sessions.refused(sessions.calls.get("one", owner_context())) == expected
    assert sessions.metric("nextchar_session_lookups_total", result="expired") == 1
    assert sessions.create().position == 0  # its id is free


def test_what_happens_to_sessions_is_counted(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sessions.create(prime="abc")
    for result in ("hit", "restored", "missing", "expired"):
        assert sessions.metric("nextchar_session_lookups_total", result=result) == 0
    sessions.info()
    sessions.refused(sessions.calls.get("two", owner_context()))
    _shown(sessions, monkeypatch)(made.created + 50)
    sessions.made.run(sessions.calls.delete("one", owner_context()))
    assert sessions.metric("nextchar_sessions_created_total") == 1
    assert sessions.metric("nextchar_sessions_ended_total", cause="end") == 1
    assert sessions.metric("nextchar_session_lookups_total", result="hit") == 2
    assert sessions.metric("nextchar_session_lookups_total", result="missing") == 1
    assert sessions.metric("nextchar_session_age_seconds_sum") == pytest.approx(50)
    assert sessions.metric("nextchar_session_steps_sum") == 3
    assert not sessions.store._records


def test_maintenance_purges_counts_and_goes_on_after_a_failure(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        sessions.create(name)
    old = replace(sessions.store._records["ann", "a"], expires_at=time.time() - 3601)
    sessions.store._records["ann", "a"] = old
    recent = replace(sessions.store._records["ann", "b"], expires_at=time.time() - 3500)
    sessions.store._records["ann", "b"] = recent
    sleeps: list[float] = []
    tidy = MemoryStore.tidy

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            raise asyncio.CancelledError

    async def failing(store: MemoryStore, *, now: float, before: float) -> Tidied:
        if not sleeps:
            raise Unavailable("it is away")
        return await tidy(store, now=now, before=before)

    replace_in(monkeypatch, session_maintenance, "asyncio", sleep=sleep)
    monkeypatch.setattr(MemoryStore, "tidy", failing)
    with pytest.raises(asyncio.CancelledError):
        sessions.made.run(sessions.made.service.session_maintenance.run())
    assert sleeps == [15.0, 15.0]
    assert "the session store cannot be tidied now: it is away" in caplog.text
    assert set(sessions.store._records) == {("ann", "b"), ("ann", "c")}
    # Both that have expired, though the second is still known as expired for a while.
    assert sessions.metric("nextchar_sessions_ended_total", cause="idle") == 2
    assert sessions.metric("nextchar_sessions_active") == 1
    sessions.made.run(sessions.made.service.session_maintenance.tidy())
    assert sessions.metric("nextchar_sessions_ended_total", cause="idle") == 2


def test_a_session_that_cannot_go_on_ends_once_however_often_it_is_asked_for(sessions: Sessions) -> None:
    sessions.create()
    record = sessions.store._records["ann", "one"]
    sessions.store._records["ann", "one"] = replace(record, revision=2, sealed=record.sealed[:-1])
    for _ in range(3):
        assert sessions.refused(sessions.calls.get("one", owner_context()))[0] == "server_error"
    assert sessions.metric("nextchar_sessions_ended_total", cause="error") == 1


def test_sessions_that_end_with_the_process_or_a_version_are_counted(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    maintenance, run = sessions.made.service.session_maintenance, sessions.made.run
    run(maintenance.leave())
    assert not caplog.messages
    for name in "ab":
        sessions.create(name)
    assert run(maintenance.count_of("tiny", "1")) == 2
    assert run(maintenance.count_of("tiny", "2")) == run(maintenance.count_of("lines", "1")) == 0
    maintenance.left_behind(5)
    assert sessions.metric("nextchar_sessions_ended_total", cause="version") == 5
    run(maintenance.leave())
    assert sessions.metric("nextchar_sessions_ended_total", cause="drain") == 2
    assert caplog.messages == ["2 sessions were in memory only and end with the server"]
