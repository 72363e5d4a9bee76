"""What sessions refuse, with the code, the field and the number; what is refused changes nothing."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.in_process import ANN, Sessions, in_process, owner_context

from nextchar.errors import InvalidRequest, NextcharError, PermissionDenied, SessionBusy, SessionLimit
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.limits import SessionLimits
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionNextRequest,
)
from nextchar.security.budgets import Allowance, Budget
from nextchar.security.principal import Principal, Scope
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.text import MAX_EACH_CHARS

Call = Callable[[Sessions], Coroutine[Any, Any, Any]]
_READER = Principal("k2", "ann", frozenset({Scope.INFER, Scope.METRICS}), Budget(Allowance()))


_EACH = FeedRequest.model_validate({"text": "a" * (MAX_EACH_CHARS + 1), "return": "each"})
_OTHER = CompletionRequest(model="tiny:2", prompt="", session_id="one")
_REFUSALS: list[tuple[Call, tuple[str, str, str]]] = [
    (
        lambda s: s.calls.create(CreateSessionRequest(model="tiny", session_id="one"), owner_context()),
        ("session_exists", "session_id", "session 'one' exists already"),
    ),
    (
        lambda s: s.calls.get("two", owner_context()),
        ("session_not_found", "session_id", "there is no session 'two'"),
    ),
    (
        lambda s: s.calls.get("x" * 200, owner_context()),
        ("session_not_found", "session_id", f"there is no session {'x' * 128!r}"),
    ),
    (
        lambda s: s.calls.text.feed("one", FeedRequest(text="a", if_revision=2), owner_context()),
        (
            "session_moved",
            "if_revision",
            "if_revision is 2, the session is at revision 3, position 3",
        ),
    ),
    (
        lambda s: s.calls.rewind("one", RewindRequest(num_chars=4), owner_context()),
        (
            "invalid_value",
            "num_chars",
            "num_chars is 4; at most the last 3 characters can be taken back now (max_rewind of the session)",
        ),
    ),
    (
        lambda s: s.calls.checkpoint("one", CheckpointRequest(name="y"), owner_context()),
        (
            "invalid_value",
            "name",
            "the session has 2 checkpoints, the limit is 2: delete one, or use one of their names",
        ),
    ),
    (
        lambda s: s.calls.rollback("one", CheckpointRequest(name="y"), owner_context()),
        ("invalid_value", "name", "name is 'y', the session's checkpoints are: a, x"),
    ),
    (
        lambda s: s.calls.text.feed("one", _EACH, owner_context()),
        (
            "invalid_value",
            "text",
            f"text has {MAX_EACH_CHARS + 1} characters, the limit is {MAX_EACH_CHARS} when return is each",
        ),
    ),
    (
        lambda s: s.calls.text.sample("one", SampleRequest(max_tokens=41), owner_context()),
        ("invalid_value", "max_tokens", "max_tokens is 41, the limit is 40"),
    ),
    (
        lambda s: s.made.service.completer.complete(_OTHER, owner_context()),
        ("state_model_mismatch", "model", "model is 'tiny:2', the session is of tiny:1"),
    ),
    (
        lambda s: s.calls.restore("one", b"nonsense", owner_context()),
        ("state_invalid", "state", "state is not a state of nextchar, or has another format"),
    ),
    (
        lambda s: s.calls.create(CreateSessionRequest(model="refusing", prime="aB"), owner_context()),
        (
            "unknown_character",
            "prime",
            "prime holds 'B' (U+0042), which is not in the model's vocabulary, and this model refuses "
            "such characters",
        ),
    ),
]


@pytest.mark.parametrize(("call", "expected"), _REFUSALS)
def test_what_does_not_fit_a_session_is_refused(
    sessions: Sessions, call: Call, expected: tuple[str, str, str]
) -> None:
    sessions.create(prime="abc")
    for name in ("x", "a"):
        request = CheckpointRequest(name=name)
        sessions.made.run(sessions.calls.checkpoint("one", request, owner_context()))
    assert sessions.refused(call(sessions)) == expected
    assert sessions.info().revision == 3


def test_sessions_need_their_scope(sessions: Sessions) -> None:
    sessions.create()
    calls, ctx = sessions.calls, owner_context(_READER)
    for call in (
        calls.create(CreateSessionRequest(model="tiny"), ctx),
        calls.get("one", ctx),
        calls.list(ListSessionsRequest(), ctx),
        calls.delete("one", ctx),
    ):
        with pytest.raises(PermissionDenied, match="this needs the scope 'sessions'"):
            sessions.made.run(call)


def test_a_damaged_state_is_a_fault_of_the_server(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    sessions.create()
    (record,) = sessions.store._records.values()
    sessions.store._records["ann", "one"] = replace(record, sealed=record.sealed[:-1] + b"!")
    why = "the session cannot go on: its stored state is damaged, or was made for another owner"
    expected = ("server_error", None, why)
    assert sessions.refused(sessions.calls.get("one", owner_context())) == expected
    assert sessions.metric("nextchar_sessions_ended_total", cause="error") == 1
    assert "a session of model tiny cannot go on: its stored state is damaged" in caplog.text


def test_an_evicted_session_is_told_from_none(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    async def evicted(_store: MemoryStore, owner: str, session_id: str, *, now: float) -> bool:
        assert (owner, time.time() - 60 < now <= time.time()) == ("ann", True)
        return session_id == "one"

    monkeypatch.setattr(MemoryStore, "was_evicted", evicted)
    expected = ("session_evicted", "session_id", "the store has evicted session 'one' to make room")
    assert sessions.refused(sessions.calls.get("one", owner_context())) == expected
    assert sessions.refused(sessions.calls.get("two", owner_context()))[0] == "session_not_found"
    assert sessions.metric("nextchar_session_lookups_total", result="missing") == 2


def test_a_change_is_tried_three_times_as_the_store_has_it_and_then_told(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.create()
    num_lost, tries = 2, 0
    stored = MemoryStore.replace

    async def overtaken(store: MemoryStore, record: Any, **named: int) -> bool:
        nonlocal tries
        tries += 1
        return tries > num_lost and await stored(store, record, **named)

    monkeypatch.setattr(MemoryStore, "replace", overtaken)
    assert sessions.feed("a").position == 1
    assert tries == 3
    num_lost, tries = 4, 0
    with pytest.raises(
        SessionBusy, match="session 'one' was changed or deleted by another request meanwhile"
    ):
        sessions.feed("a")
    assert tries == 4
    assert sessions.metric("nextchar_session_conflicts_total") == 4  # none as the server had it before


def test_while_a_session_is_deleted_no_request_begins(sessions: Sessions) -> None:
    sessions.create()
    manager, ctx = sessions.made.service.session_manager, owner_context()

    async def work() -> list[NextcharError]:
        refused = []
        async with manager.exclusive(ctx, "one"):
            ending = asyncio.ensure_future(manager.end(ctx, "one"))
            await asyncio.sleep(0)
            for call in (manager.end(ctx, "one"), sessions.calls.renew("one", RenewRequest(), ctx)):
                with pytest.raises(NextcharError) as caught:
                    await call
                refused.append(caught.value)
            async with manager.exclusive(owner_context(replace(ANN, owner="bob")), "one"):
                assert not ending.done()
        await ending
        return refused

    for error in sessions.made.run(work()):
        assert (error.code, error.param) == ("session_closing", "session_id")
        assert error.message == "session 'one' is being deleted"
    assert (
        sessions.refused(sessions.calls.renew("one", RenewRequest(), owner_context()))[0]
        == "session_not_found"
    )


def test_sessions_are_limited_by_number_and_by_bytes(models: Path) -> None:
    store = MemoryStore()
    limits = SessionLimits(max_sessions=2, ttl_seconds=500.0)
    with in_process(models, store=store, session_limits=limits) as made:
        sessions = Sessions(made, store)
        sessions.create("a", ttl_seconds=100.0)
        sessions.create("b")
        with pytest.raises(SessionLimit) as caught:
            sessions.create("c")
        assert caught.value.message == (
            "you have 2 unexpired sessions, the limit is 2: delete one, or retry later"
        )
        assert 40 < caught.value.retry_after_seconds <= 100
        store._records["ann", "a"] = replace(store._records["ann", "a"], expires_at=time.time() - 1)
        sessions.create("c")  # one that has expired does not count
        size = len(store._records["ann", "b"].sealed)
    limits = SessionLimits(max_state_bytes=2 * size)
    with in_process(models, store=MemoryStore(), session_limits=limits) as made:
        sessions = Sessions(made, store)
        for name in "ab":
            sessions.create(name)
        with pytest.raises(SessionLimit) as caught:
            sessions.create("c")
        assert caught.value.message == (
            f"your states have {2 * size} bytes and need {size} more, the limit is {2 * size}"
        )
        assert 7100 < caught.value.retry_after_seconds <= 7200  # its hour, and the hour it is kept then
        with pytest.raises(SessionLimit, match=f"your states have {2 * size} bytes and need"):
            sessions.feed("abc", "a")
        assert sessions.info("a").revision == 1


def test_the_numbers_of_a_state_are_refused_whole(sessions: Sessions) -> None:
    """A session's place after an error is the one before it."""
    sessions.create(model="refusing", prime="abc")
    before = sessions.made.run(sessions.calls.text.next("one", SessionNextRequest(), owner_context()))
    with pytest.raises(InvalidRequest):
        sessions.feed("abB")
    after = sessions.made.run(sessions.calls.text.next("one", SessionNextRequest(), owner_context()))
    assert np.array_equal([c.logprob for c in before.data], [c.logprob for c in after.data])
    assert sessions.info().revision == 1
