"""The gRPC calls of sessions are the REST calls of sessions."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

Stub = nextchar_pb2_grpc.SessionsStub
_CHANGING = ("session_id", "created", "expires_at", "id")


@pytest.fixture
def stub(server: LiveServer) -> Iterator[Stub]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield Stub(channel)


def _plain(message: Any) -> dict[str, Any]:
    found = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _numbers({name: value for name, value in found.items() if name not in _CHANGING})


def _numbers(value: Any) -> Any:
    """JSON of protobuf writes 64-bit integers as strings."""
    if isinstance(value, dict):
        return {
            name: v if name in ("text", "char", "model_version") else _numbers(v) for name, v in value.items()
        }
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return int(value) if isinstance(value, str) and value.isdecimal() else value


ADAPTIVE = pytest.mark.parametrize("adaptive", [None, True], ids=["plain", "adaptive"])


def _rest(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in _CHANGING}


@ADAPTIVE
def test_every_call_answers_what_rest_answers(server: LiveServer, stub: Stub, adaptive: Any) -> None:
    rest = Session.create(server, prime="the ", adaptive=adaptive)
    options = pb.AdaptiveOptions() if adaptive else None
    made = stub.Create(pb.CreateSessionRequest(model="tiny", prime="the ", seed=7, adaptive=options))
    mine = made.session_id
    assert _plain(made) == _rest(rest.info())
    fed = stub.Feed(pb.FeedRequest(session_id=mine, text="quick", top=3))
    assert _plain(fed) | {"each": []} == _rest(rest.do("feed", text="quick", top=3)) | {"each": []}
    each = stub.Feed(pb.FeedRequest(**{"session_id": mine, "text": "ab", "return": "each", "top": 2}))
    expected = rest.do("feed", text="ab", top=2, **{"return": "each"})["data"]
    assert _plain(each)["each"] == expected
    found = stub.Next(pb.SessionNextRequest(session_id=mine, top=4))
    assert _plain(found) == _rest(rest.do("next", top=4))
    scored = stub.Score(pb.SessionScoreRequest(session_id=mine, input=["fox", "dog"]))
    assert [entry.logprob for entry in scored.data] == [
        entry["logprob"] for entry in rest.do("score", input=["fox", "dog"])["data"]
    ]
    pieces = list(stub.Sample(pb.SampleRequest(session_id=mine, max_tokens=50)))
    text = "".join(piece.choices[0].text for piece in pieces)
    assert text == rest.sample(max_tokens=50)
    assert pieces[-1].position == rest.info()["position"]
    stub.Checkpoint(pb.CheckpointRequest(session_id=mine, name="c"))
    rest.do("checkpoint", name="c")
    assert _plain(stub.Rewind(pb.RewindRequest(session_id=mine, num_chars=9))) == _rest(
        rest.do("rewind", num_chars=9)
    )
    rolled = stub.Rollback(pb.CheckpointRequest(session_id=mine, name="c"))
    assert _plain(rolled) == _rest(rest.do("rollback", name="c"))
    assert _plain(stub.Get(pb.SessionId(session_id=mine))) == _rest(rest.info())
    sealed = stub.ExportState(pb.SessionId(session_id=mine)).state
    assert rest.put_state(sealed).status_code == 200
    assert (
        _plain(stub.ImportState(pb.SessionState(session_id=mine, state=sealed)))["position"]
        == rolled.position
    )
    fork = stub.Fork(pb.ForkRequest(session_id=mine, fork_id=f"{mine}-fork"))
    assert (fork.session_id, fork.position) == (f"{mine}-fork", rolled.position)
    listed = stub.List(pb.ListSessionsRequest(limit=1000))
    assert {mine, rest.id, fork.session_id} <= {entry.session_id for entry in listed.data}
    stub.Delete(pb.SessionId(session_id=mine))
    assert Session(server.url, mine).post("next").status_code == 404


@ADAPTIVE
def test_a_conversation_is_the_calls_one_after_the_other(
    server: LiveServer, stub: Stub, adaptive: Any
) -> None:
    rest = Session.create(server, adaptive=adaptive)
    options = pb.AdaptiveOptions() if adaptive else None
    calls = [pb.SessionCall(create=pb.CreateSessionRequest(model="tiny", seed=7, adaptive=options))]
    calls += [pb.SessionCall(feed=pb.FeedRequest(text=character, top=1)) for character in "hello"]
    calls += [
        pb.SessionCall(rewind=pb.RewindRequest(num_chars=2)),
        pb.SessionCall(next=pb.SessionNextRequest(top=1)),
        pb.SessionCall(checkpoint=pb.CheckpointRequest(name="c")),
        pb.SessionCall(sample=pb.SampleRequest(max_tokens=20)),
        pb.SessionCall(score=pb.SessionScoreRequest(input=["x"])),
        pb.SessionCall(rollback=pb.CheckpointRequest(name="c")),
    ]
    replies = list(stub.Converse(iter(calls)))
    kinds = [reply.WhichOneof("reply") for reply in replies]
    assert kinds[:9] == ["info", *["feed"] * 5, "info", "next", "info"]
    assert set(kinds[9:-2]) == {"completion"}
    assert kinds[-2:] == ["score", "info"]
    assert [reply.feed.position for reply in replies[1:6]] == [1, 2, 3, 4, 5]
    rest.do("feed", text="hel")
    assert replies[7].next.data[0].logprob == rest.do("next", top=1)["data"][0]["logprob"]
    text = "".join(reply.completion.choices[0].text for reply in replies[9:-2])
    assert text == rest.sample(max_tokens=20)
    opened = list(
        stub.Converse(iter([pb.SessionCall(open=pb.SessionId(session_id=replies[0].info.session_id))]))
    )
    assert opened[0].info.position == 3


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        (pb.SessionCall(), grpc.StatusCode.INVALID_ARGUMENT, "must hold one call"),
        (
            pb.SessionCall(feed=pb.FeedRequest(text="a")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "must begin with create or open",
        ),
        (
            pb.SessionCall(sample=pb.SampleRequest()),
            grpc.StatusCode.INVALID_ARGUMENT,
            "must begin with create or open",
        ),
        (pb.SessionCall(open=pb.SessionId()), grpc.StatusCode.INVALID_ARGUMENT, "session_id: field required"),
        (
            pb.SessionCall(open=pb.SessionId(session_id="none")),
            grpc.StatusCode.NOT_FOUND,
            "no session 'none'",
        ),
        (
            pb.SessionCall(create=pb.CreateSessionRequest(model="gone")),
            grpc.StatusCode.NOT_FOUND,
            "model 'gone' is not served",
        ),
    ],
)
def test_a_conversation_that_begins_wrongly_ends_with_a_status(
    stub: Stub, call: pb.SessionCall, code: grpc.StatusCode, says: str
) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        list(stub.Converse(iter([call])))
    assert ended.value.code() is code
    assert says in ended.value.details()


def test_a_session_is_renewed_and_fed_for_its_revision(server: LiveServer, stub: Stub) -> None:
    session = Session.create(server, prime="abc")
    assert stub.Renew(pb.RenewRequest(session_id=session.id, ttl_seconds=900)).ttl_seconds == 900
    fed = stub.Feed(pb.FeedRequest(session_id=session.id, text="d", if_revision=1))
    assert (fed.revision, fed.position) == (2, 4)
    calls = [
        pb.SessionCall(open=pb.SessionId(session_id=session.id)),
        pb.SessionCall(renew=pb.RenewRequest()),
        pb.SessionCall(checkpoint=pb.CheckpointRequest(name="c", if_revision=2)),
    ]
    replies = list(stub.Converse(iter(calls)))
    assert [reply.info.revision for reply in replies] == [2, 2, 3]
    assert replies[1].info.ttl_seconds == 900


def test_errors_have_their_statuses(server: LiveServer, stub: Stub) -> None:
    session = Session.create(server, prime="abc")

    def status(call: Any, message: Any) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as ended:
            call(message)
        found: grpc.StatusCode = ended.value.code()
        return found

    again = pb.CreateSessionRequest(model="tiny", session_id=session.id)
    assert status(stub.Create, again) is grpc.StatusCode.ALREADY_EXISTS
    bad = pb.SessionState(session_id=session.id, state=b"nonsense")
    assert status(stub.ImportState, bad) is grpc.StatusCode.INVALID_ARGUMENT
    assert status(stub.Get, pb.SessionId(session_id="none")) is grpc.StatusCode.NOT_FOUND
    late = pb.FeedRequest(session_id=session.id, text="a", if_revision=9)
    assert status(stub.Feed, late) is grpc.StatusCode.ABORTED
    foreign = Session.create(server, model="lines").state()
    other = pb.SessionState(session_id=session.id, state=foreign)
    assert status(stub.ImportState, other) is grpc.StatusCode.FAILED_PRECONDITION
    far = pb.RewindRequest(session_id=session.id, num_chars=99)
    assert status(stub.Rewind, far) is grpc.StatusCode.INVALID_ARGUMENT
    assert session.info()["position"] == 3
