"""Checkpoints are deleted with their bytes, at every door; `max_rewind` is what can be taken back."""

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from support.in_process import Sessions, owner_context
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.client import Client
from nextchar.errors import SessionMoved
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.schemas.sessions import CheckpointRequest, RewindRequest, SessionInfo


@pytest.fixture
def stub(server: LiveServer) -> Iterator[nextchar_pb2_grpc.SessionsStub]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield nextchar_pb2_grpc.SessionsStub(channel)


def kept_bytes(sessions: Sessions) -> int:
    return asyncio.run(sessions.store.kept("ann")).num_bytes


def mark(sessions: Sessions, name: str) -> SessionInfo:
    return sessions.made.run(sessions.calls.checkpoint("one", CheckpointRequest(name=name), owner_context()))


def delete(sessions: Sessions, name: str, **fields: int) -> SessionInfo:
    request = CheckpointRequest(name=name, **fields)
    return sessions.made.run(sessions.calls.delete_checkpoint("one", request, owner_context()))


def test_a_deleted_checkpoint_gives_its_bytes_and_its_name_back(sessions: Sessions) -> None:
    sessions.create(prime="abc")
    before, bytes_before = sessions.info(), kept_bytes(sessions)
    mark(sessions, "a")
    sessions.feed("d")
    marked = mark(sessions, "b")
    sessions.feed("e")
    grown = kept_bytes(sessions)
    assert (marked.checkpoints, sessions.info().checkpoints) == (["a", "b"], ["a", "b"])
    assert mark(sessions, "b").checkpoints == ["a", "b"]
    told = sessions.refused(sessions.calls.checkpoint("one", CheckpointRequest(name="c"), owner_context()))
    assert told[:2] == ("invalid_value", "name")
    gone = delete(sessions, "a")
    assert (gone.checkpoints, gone.position, gone.revision) == (["b"], 5, 7)
    assert gone == sessions.info()
    assert mark(sessions, "c").checkpoints == ["b", "c"]
    delete(sessions, "c")
    delete(sessions, "b")
    after = sessions.info()
    assert after.checkpoints == []
    assert after.state_bytes is not None
    assert before.state_bytes is not None
    assert after.state_bytes - before.state_bytes == 2 * 12  # two more characters that can be taken back
    assert bytes_before < kept_bytes(sessions) < grown - before.state_bytes / 2


def test_the_other_checkpoints_stay(sessions: Sessions) -> None:
    sessions.create(prime="abc")
    mark(sessions, "a")
    mark(sessions, "b")  # at the same place
    sessions.feed("xyz")
    delete(sessions, "a")
    back = sessions.calls.rollback("one", CheckpointRequest(name="b"), owner_context())
    assert sessions.made.run(back).position == 3


def test_a_checkpoint_that_is_not_there_cannot_be_deleted(sessions: Sessions) -> None:
    sessions.create(prime="abc")
    mark(sessions, "a")
    request = CheckpointRequest(name="b")
    refused = sessions.refused(sessions.calls.delete_checkpoint("one", request, owner_context()))
    assert refused == ("invalid_value", "name", "name is 'b', the session's checkpoints are: a")
    with pytest.raises(SessionMoved):
        delete(sessions, "a", if_revision=1)
    assert delete(sessions, "a", if_revision=2).revision == 3


def test_over_rest_it_is_a_path(server: LiveServer) -> None:
    session = Session.create(server, prime="ab")
    path = f"/v1/sessions/{session.id}/checkpoints"
    for name in ("a", "b.-_c"):
        session.do("checkpoint", name=name)
    gone = server.request("DELETE", f"{path}/b.-_c")
    assert (gone.status_code, gone.json()) == (200, session.info())
    assert gone.headers["x-session-id"] == session.id
    assert gone.json()["checkpoints"] == ["a"]
    for query, status, code in (
        ("?if_revision=1", 409, "session_moved"),
        ("?if_revision=x", 400, "invalid_value"),
        ("?revision=4", 400, "unknown_field"),
        ("?name=other", 400, "unknown_field"),
    ):
        answer = server.request("DELETE", f"{path}/a{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert server.request("DELETE", f"{path}/a?if_revision=4").json()["checkpoints"] == []
    for name in ("a", "a%20b", "x" * 65):
        answer = server.request("DELETE", f"{path}/{name}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")
    assert server.request("DELETE", "/v1/sessions/none/checkpoints/a").status_code == 404


def test_over_grpc_it_is_a_call_and_part_of_a_conversation(
    server: LiveServer, stub: nextchar_pb2_grpc.SessionsStub
) -> None:
    session = Session.create(server, prime="ab")
    for name in ("a", "b"):
        session.do("checkpoint", name=name)
    gone = stub.DeleteCheckpoint(pb.CheckpointRequest(session_id=session.id, name="a", if_revision=3))
    assert (gone.revision, list(gone.checkpoints)) == (4, ["b"])
    calls = [
        pb.SessionCall(open=pb.SessionId(session_id=session.id)),
        pb.SessionCall(delete_checkpoint=pb.CheckpointRequest(name="b")),
    ]
    *_, last = stub.Converse(iter(calls))
    assert (last.info.revision, list(last.info.checkpoints)) == (5, [])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_our_client_deletes_them(server: LiveServer, scheme: str) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    with Client(url) as client, client.session(model="tiny", prime="ab") as session:
        session.checkpoint("a")
        assert session.delete_checkpoint("a").checkpoints == []
        with pytest.raises(SessionMoved):
            session.delete_checkpoint("a", if_revision=1)


def test_max_rewind_is_what_can_be_taken_back(sessions: Sessions) -> None:
    """It is 128 at least of what was read since the last rewind or rollback, or all of that."""

    def rewind(count: int) -> SessionInfo:
        call = sessions.calls.rewind("one", RewindRequest(num_chars=count), owner_context())
        return sessions.made.run(call)

    def refuses(count: int) -> bool:
        call = sessions.calls.rewind("one", RewindRequest(num_chars=count), owner_context())
        return "characters can be taken back" in sessions.refused(call)[2]

    assert sessions.create(prime="ab" * 50).max_rewind == 100
    mark(sessions, "a")
    for _ in range(9):
        sessions.feed("abc " * 25)
        left = sessions.info().max_rewind
        assert left is not None
        assert 128 <= left <= 256
    assert refuses(left + 1)
    assert rewind(100).max_rewind == left - 100
    sessions.feed("abcde")
    assert sessions.info().max_rewind == left - 95
    back = sessions.calls.rollback("one", CheckpointRequest(name="a"), owner_context())
    assert sessions.made.run(back).max_rewind == 0
    assert refuses(1)
    sessions.feed("abcde")
    assert sessions.info().max_rewind == 5
    assert rewind(5).position == 100
