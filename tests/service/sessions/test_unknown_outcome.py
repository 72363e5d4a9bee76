"""A change that may have been done is told so, at every door; one for which nobody is left is not done."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from support.in_process import Sessions, owner_context
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.errors import OutcomeUnknown
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    RewindRequest,
    SampleRequest,
)
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.stores.sqlite import SqliteStore


def _lose(monkeypatch: pytest.MonkeyPatch, store: type[MemoryStore | SqliteStore]) -> list[SessionRecord]:
    """Loses the answers to all writes of a store, which are done; returns what was written."""
    replace, written = store.replace, []

    async def lost(self: Any, record: SessionRecord, **named: int) -> bool:
        assert await replace(self, record, **named)
        written.append(record)
        raise OutcomeUnknown("it is not known", revision=record.revision)

    monkeypatch.setattr(store, "replace", lost)
    return written


def test_a_change_whose_outcome_is_not_known_is_not_done_anew(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.create(prime="abc")
    written = _lose(monkeypatch, MemoryStore)
    told = sessions.refused(
        sessions.calls.text.feed("one", FeedRequest.model_validate({"text": "xyz"}), owner_context())
    )
    assert told == ("outcome_unknown", None, "it is not known")
    assert len(written) == 1
    assert sessions.info().position == 6
    assert sessions.metric("nextchar_session_conflicts_total") == 0
    assert sessions.metric("nextchar_state_store_errors_total", op="replace") == 1


@pytest.fixture
def losing(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session of a server whose store loses the answers to writes."""
    session = Session.create(server, prime="abc")
    _lose(monkeypatch, SqliteStore)
    yield session
    monkeypatch.undo()
    session.delete()


def test_rest_names_the_revision_and_asks_nobody_to_try_again(losing: Session) -> None:
    for call, fields in (("feed", {"text": "xyz"}), ("checkpoint", {"name": "c"}), ("sample", {})):
        before = losing.info()["revision"]
        answer = losing.post(call, **fields)
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "outcome_unknown"
        assert answer.headers["X-Session-Revision"] == str(before + 1)
        assert answer.headers["X-Should-Retry"] == "false"
        assert "Retry-After" not in answer.headers
        assert losing.info()["revision"] == before + 1


def test_grpc_says_the_same(losing: Session, server: LiveServer) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError) as told:
        nextchar_pb2_grpc.SessionsStub(channel).Feed(pb.FeedRequest(session_id=losing.id, text="xyz"))
    assert told.value.code() is grpc.StatusCode.UNKNOWN
    packed = dict(told.value.trailing_metadata())["grpc-status-details-bin"]
    info, wait = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    details = status_pb2.Status.FromString(packed).details
    assert details[0].Unpack(info)
    assert info.reason == "OUTCOME_UNKNOWN"
    assert info.metadata["revision"] == "2"
    assert not any(detail.Unpack(wait) for detail in details)


def test_a_stream_ends_with_the_error_in_place_of_its_last_piece(losing: Session) -> None:
    lines = losing.post("sample", stream=True, max_tokens=3).text.split("\n\n")
    assert "[DONE]" not in lines[-2]
    assert '"code":"outcome_unknown"' in lines[-2].replace(" ", "")


_CHANGES: dict[str, Callable[[Sessions, Any], Any]] = {
    "create": lambda s, ctx: s.calls.create(CreateSessionRequest(model="tiny", session_id="new"), ctx),
    "fork": lambda s, ctx: s.calls.fork("one", ForkRequest(session_id="new"), ctx),
    "feed": lambda s, ctx: s.calls.text.feed("one", FeedRequest(text="x"), ctx),
    "sample": lambda s, ctx: s.calls.text.sample("one", SampleRequest(max_tokens=2), ctx),
    "checkpoint": lambda s, ctx: s.calls.checkpoint("one", CheckpointRequest(name="c"), ctx),
    "rewind": lambda s, ctx: s.calls.rewind("one", RewindRequest(num_chars=1), ctx),
    "delete": lambda s, ctx: s.calls.delete("one", ctx),
}


@pytest.mark.parametrize("name", _CHANGES)
def test_nothing_is_changed_for_a_client_that_is_gone(sessions: Sessions, name: str) -> None:
    before = sessions.create(prime="abc")
    ctx = owner_context()
    ctx.has_client = lambda: False
    code, _, message = sessions.refused(_CHANGES[name](sessions, ctx))
    assert (code, "it was not done" in message) == ("client_gone", True)
    assert set(sessions.store._records) == {("ann", "one")}
    assert (sessions.info().revision, sessions.info().position) == (before.revision, before.position)
