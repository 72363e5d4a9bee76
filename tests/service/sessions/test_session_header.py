"""X-Session-Id: what a client sends names a new session; all answers and errors of a session tell its own."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from support.live_server import LiveServer
from support.oip_client import body as infer_body

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_NAME = "X-Session-Id"
_SESSIONS = "/v1/sessions"


def created(server: LiveServer, header: str | None, **fields: object) -> httpx.Response:
    headers = {} if header is None else {_NAME: header}
    return server.post(_SESSIONS, {"model": "tiny", **fields}, headers=headers)


@pytest.fixture
def session(server: LiveServer) -> Iterator[str]:
    session_id: str = created(server, None).json()["session_id"]
    yield f"{_SESSIONS}/{session_id}"
    server.request("DELETE", f"{_SESSIONS}/{session_id}")


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("of-header", None),
        (None, "of-body"),
        ("of-both", "of-both"),
        ("", "of-body"),
        ("", None),
        (None, None),
    ],
)
def test_a_session_has_the_id_of_the_body_or_else_of_the_header(
    server: LiveServer, header: str | None, body: str | None
) -> None:
    answer = created(server, header, **({} if body is None else {"session_id": body}))
    assert answer.status_code == 201, answer.text
    made = answer.json()["session_id"]
    assert answer.headers[_NAME] == made
    assert made == (body or header) if body or header else made.startswith("sess-")
    assert server.request("DELETE", f"{_SESSIONS}/{made}").headers[_NAME] == made


def test_an_empty_body_is_named_too(server: LiveServer) -> None:
    answer = server.request("POST", _SESSIONS, headers={_NAME: "by-header-alone"})
    assert (answer.status_code, answer.json()["session_id"]) == (201, "by-header-alone")
    server.request("DELETE", f"{_SESSIONS}/by-header-alone")


def test_two_ids_that_differ_are_refused(server: LiveServer) -> None:
    answer = created(server, "of-header", session_id="of-body")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "session_id")
    assert "session_id is 'of-body', and X-Session-Id names another session" in answer.text


@pytest.mark.parametrize("wrong", ["a b", "a/b", "..", ".", "a" * 129, "a,b", "é".encode().decode("latin-1")])
def test_a_header_that_is_no_id_is_refused(server: LiveServer, wrong: str) -> None:
    headers = [(_NAME.encode(), wrong.encode("latin-1"))]
    answer = server.post(_SESSIONS, {"model": "tiny"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, _NAME)
    assert _NAME not in answer.headers


def test_answers_tell_their_session(server: LiveServer, session: str) -> None:
    own = session.rpartition("/")[2]
    continued = {"model": "tiny", "session_id": own, "max_tokens": 1}
    state = server.get(f"{session}/state")
    answers = [
        server.get(session),
        state,
        server.request("PUT", f"{session}/state", content=state.content),
        *(server.post(f"{session}/{call}", {}) for call in ("next", "renew")),
        *(server.post(f"{session}/{call}", {"name": "c"}) for call in ("checkpoint", "rollback")),
        server.post(f"{session}/feed", {"text": "a"}),
        server.post(f"{session}/score", {"input": ["a"]}),
        server.post(f"{session}/sample", {"max_tokens": 1, "stream": True}),
        server.post("/v1/completions", continued),
        server.post("/v1/completions", {**continued, "stream": True}),
    ]
    assert [(a.status_code, a.headers.get(_NAME)) for a in answers] == [(200, own)] * len(answers)
    fork = server.post(f"{session}/fork", {})
    assert fork.headers[_NAME] == fork.json()["session_id"] != own
    server.request("DELETE", f"{_SESSIONS}/{fork.json()['session_id']}")


def test_errors_tell_their_session(server: LiveServer, session: str) -> None:
    own = session.rpartition("/")[2]
    errors = [
        server.post(f"{session}/feed", {"text": 1}),
        server.post(f"{session}/feed", {"text": "a", "if_revision": 99}),
        server.request("POST", f"{session}/feed", content="{}", headers={"Content-Type": "text/plain"}),
        server.post(f"{session}/sample", {"max_tokens": 1, "if_revision": 99, "stream": True}),
        server.post("/v1/completions", {"model": "lines", "session_id": own}),
        created(server, None, session_id=own),
        created(server, own),
        server.post(f"{session}/rollback", {"name": "none"}),
    ]
    assert all(a.is_client_error for a in errors)
    assert [a.headers.get(_NAME) for a in errors] == [own] * len(errors)
    assert server.get(f"{_SESSIONS}/none").headers[_NAME] == "none"
    for strange in ("a%0d%0ab", "%C3%A9", "a%20b", "a" * 200):
        answer = server.get(f"{_SESSIONS}/{strange}")
        assert (answer.status_code, answer.headers.get(_NAME)) == (404, None)


def test_what_uses_no_session_tells_none(server: LiveServer) -> None:
    for answer in (
        server.get("/v1/models", headers={_NAME: "mine"}),
        server.post("/v1/score", {"model": "tiny", "input": ["a"]}, headers={_NAME: "mine"}),
        server.get(_SESSIONS),
    ):
        assert _NAME not in answer.headers


def test_a_sequence_tells_its_session(server: LiveServer) -> None:
    told = []
    for place in ("start", "middle", "end", "after"):
        step = {f"sequence_{place}": True} if place in ("start", "end") else {}
        body = infer_body(["a"], ("score",), sequence_id="told", **step)
        answer = server.post("/v2/models/tiny/infer", body)
        assert answer.status_code == (404 if place == "after" else 200)
        told.append(answer.headers[_NAME])
        if place == "middle":
            assert server.get(f"{_SESSIONS}/{told[-1]}").status_code == 200
    assert len(set(told)) == 1


@pytest.fixture
def stub(server: LiveServer) -> Iterator[nextchar_pb2_grpc.SessionsStub]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield nextchar_pb2_grpc.SessionsStub(channel)


def test_grpc_takes_and_tells_it_as_metadata(stub: nextchar_pb2_grpc.SessionsStub) -> None:
    named = (("x-session-id", "by-metadata"),)
    made, call = stub.Create.with_call(pb.CreateSessionRequest(model="tiny"), metadata=named)
    assert made.session_id == "by-metadata"
    _, got = stub.Get.with_call(pb.SessionId(session_id="by-metadata"))
    for each in (call, got):
        assert named[0] in each.trailing_metadata()
    with pytest.raises(grpc.RpcError) as exists:
        stub.Create(pb.CreateSessionRequest(model="tiny"), metadata=named)
    with pytest.raises(grpc.RpcError) as differs:
        stub.Create(pb.CreateSessionRequest(model="tiny", session_id="other"), metadata=named)
    assert exists.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert named[0] in exists.value.trailing_metadata()
    assert differs.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    stub.Delete(pb.SessionId(session_id="by-metadata"))


def test_a_conversation_takes_it_too(server: LiveServer, stub: nextchar_pb2_grpc.SessionsStub) -> None:
    def converse(call: pb.SessionCall, name: str) -> pb.SessionReply:
        return next(stub.Converse(iter([call]), metadata=(("x-session-id", name),), timeout=30))

    create = pb.SessionCall(create=pb.CreateSessionRequest(model="tiny"))
    assert converse(create, "by-stream").info.session_id == "by-stream"
    counted = {"route": "session", "protocol": "grpc", "outcome": "invalid"}
    before = server.metric("nextchar_requests_total", **counted)
    for wrong in ("a b", "a/b"):
        with pytest.raises(grpc.RpcError) as refused:
            converse(create, wrong)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert server.metric("nextchar_requests_total", **counted) == before + 2
    stub.Delete(pb.SessionId(session_id="by-stream"))
