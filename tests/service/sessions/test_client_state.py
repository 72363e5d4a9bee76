"""A state that the client carries from call to call says what one call, or a session, would say."""

import base64
from typing import Any

import grpc
import httpx
import pytest
from support.live_server import LiveServer
from support.session_client import MODELS, Session

from nextchar.pb import nextchar_pb2 as pb

_TEXT = "the quick brown fox, jumps over a lazy dog. "


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _ask(server: LiveServer, path: str, **fields: Any) -> dict[str, Any]:
    answer = server.post(f"/v1/{path}", fields)
    assert answer.is_success, answer.text
    result: dict[str, Any] = answer.json()
    return result


def _refused(answer: httpx.Response, status: int, code: str, param: str | None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_a_text_in_parts_is_the_whole_text(server: LiveServer, model: str) -> None:
    state = None
    for part in (_TEXT, "", "a", _TEXT * 9):
        found = _ask(server, "next", model=model, input=part, state=state, return_state=True)
        state = found["state"]
    whole = _ask(server, "next", model=model, input=_TEXT + "a" + _TEXT * 9)
    assert "state" not in whole
    assert found["data"] == whole["data"]
    scored = _ask(server, "score", model=model, input=["fox", "dog"], state=state)
    context = _TEXT + "a" + _TEXT * 9
    assert scored["data"] == _ask(server, "score", model=model, input=["fox", "dog"], context=context)["data"]


def test_a_score_gives_the_state_before_its_strings(server: LiveServer, model: str) -> None:
    given = _ask(server, "score", model=model, input=["fox"], context=_TEXT, return_state=True)
    again = _ask(server, "score", model=model, input=["dog", "cat"], state=given["state"])
    expected = _ask(server, "score", model=model, input=["dog", "cat"], context=_TEXT)
    assert again["data"] == expected["data"]
    assert given["usage"] == {"prompt_tokens": len(_TEXT) + 3, "completion_tokens": 0, "total_tokens": 47}


@pytest.mark.parametrize(
    ("before", "context", "expected"),
    [
        ("", "", "begin"),
        ("", "abc", "context"),
        ("ab", "", "state"),
        ("ab", "abc", "context"),
    ],
)
def test_a_score_says_what_its_strings_begin_after(
    server: LiveServer, before: str, context: str, expected: str
) -> None:
    """The same with a state in the request, as without one."""
    state = _ask(server, "next", model="tiny", input=before, return_state=True)["state"]
    fields = {"model": "tiny", "input": ["x"], "context": context}
    for more in ({"state": state}, {"state": state, "return_state": True}):
        assert _ask(server, "score", **fields, **more)["begins_after"] == expected
    message = pb.ScoreRequest(**fields, state=base64.b64decode(state))
    with server.stub() as stub:
        assert stub.Score(message).begins_after == expected
    if not before:
        assert _ask(server, "score", **fields)["begins_after"] == expected


def test_drawn_in_parts_is_drawn_at_once(server: LiveServer, model: str) -> None:
    fields: dict[str, Any] = {"model": model, "prompt": "the ", "seed": 3}
    whole = _ask(server, "completions", **fields, max_tokens=60)["choices"][0]["text"]
    part = _ask(server, "completions", **fields, max_tokens=20, return_state=True)
    text = part["choices"][0]["text"]
    for size in (1, 39):
        part = _ask(
            server, "completions", model=model, max_tokens=size, state=part["state"], return_state=True
        )
        text += part["choices"][0]["text"]
    assert text.startswith(whole)  # a line that has ended goes on in parts
    assert model == "lines" or text == whole


def test_a_carried_state_is_a_sessions_state(server: LiveServer, model: str) -> None:
    session = Session.create(server, model=model, prime=_TEXT)
    session.sample(max_tokens=9)
    carried = base64.b64encode(session.state()).decode()
    first = _ask(
        server, "completions", model=model, prompt="a", max_tokens=30, state=carried, return_state=True
    )
    other = Session.create(server, model=model)
    assert other.put_state(base64.b64decode(first["state"])).status_code == 200
    fields: dict[str, Any] = {"model": model, "prompt": "a", "max_tokens": 30}
    second = _ask(server, "completions", session_id=session.id, **fields)
    assert second["choices"] == first["choices"]
    assert second["position"] == session.info()["position"] == other.info()["position"]
    assert session.next() == other.next()
    assert session.state() == other.state()


def test_a_completion_of_a_session_is_a_feed_and_a_sample_in_one_revision(
    server: LiveServer, model: str
) -> None:
    one, other = (Session.create(server, model=model, prime=_TEXT * 5) for _ in range(2))
    answer = server.post(
        "/v1/completions", {"model": model, "session_id": one.id, "prompt": "ab" * 150, "max_tokens": 40}
    )
    assert answer.headers["X-Session-Id"] == one.id
    other.do("feed", text="ab" * 150)
    assert answer.json()["choices"][0]["text"] == other.sample(max_tokens=40)
    assert answer.json()["revision"] == one.info()["revision"] == 2
    assert one.info()["position"] == other.info()["position"]
    for session in (one, other):
        session.do("rewind", num_chars=60)
    assert one.next() == other.next()
    assert one.sample(max_tokens=20) == other.sample(max_tokens=20)


def test_a_stop_string_and_an_echo_are_as_anywhere(server: LiveServer) -> None:
    free = _ask(server, "completions", model="tiny", prompt="a ", seed=7, max_tokens=60)["choices"][0]["text"]
    stop = free[20:22]
    fields: dict[str, Any] = {"model": "tiny", "prompt": "a ", "seed": 7, "max_tokens": 60, "stop": stop}
    fields |= {"echo": True, "logprobs": 1}
    plain = _ask(server, "completions", **fields)
    carried = _ask(server, "completions", **fields, return_state=True)
    assert carried["choices"] == plain["choices"]
    text = carried["choices"][0]["text"]
    after = _ask(server, "next", model="tiny", input="", state=carried["state"])
    assert after["data"] == _ask(server, "next", model="tiny", input=text)["data"]


def test_a_stream_ends_with_the_state(server: LiveServer) -> None:
    fields = {"model": "tiny", "prompt": "a ", "seed": 7, "max_tokens": 50, "return_state": True}
    expected = _ask(server, "completions", **fields)["state"]
    events = server.post("/v1/completions", fields | {"stream": True}).text
    assert events.count('"state"') == 1
    assert expected in events


def test_grpc_carries_the_same_bytes(server: LiveServer) -> None:
    rest = _ask(server, "completions", model="tiny", prompt="a ", seed=7, max_tokens=50, return_state=True)
    with server.stub() as stub:
        request = pb.CompletionRequest(model="tiny", prompt="a ", seed=7, max_tokens=50, return_state=True)
        pieces = list(stub.Complete(request))
        state = pieces[-1].state
        assert base64.b64encode(state).decode() == rest["state"]
        after = stub.Next(pb.NextRequest(model="tiny", input="b", state=state, return_state=True, top=3))
        expected = _ask(
            server, "next", model="tiny", input="b", state=rest["state"], return_state=True, top=3
        )
        assert base64.b64encode(after.state).decode() == expected["state"]
        assert [entry.logprob for entry in after.data] == [entry["logprob"] for entry in expected["data"]]
        scored = stub.Score(pb.ScoreRequest(model="tiny", input=["x"], state=state, return_state=True))
        assert scored.state == state
        session = Session.create(server)
        named = list(
            stub.Complete(
                pb.CompletionRequest(model="tiny", session_id=session.id, prompt="a ", max_tokens=9)
            )
        )
        assert (named[-1].session_id, named[-1].position, named[-1].revision) == (session.id, 11, 2)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Next(pb.NextRequest(model="tiny", input="b", state=b"nonsense"))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as refused:
            stub.Next(pb.NextRequest(model="lines", input="b", state=state))
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("path", ["next", "score", "completions"])
def test_a_state_that_is_none_is_refused(server: LiveServer, path: str) -> None:
    state = base64.b64decode(_ask(server, "next", model="tiny", input=_TEXT, return_state=True)["state"])
    body = {"next": {"input": "a"}, "score": {"input": ["a"]}, "completions": {"prompt": "a"}}[path]

    def send(model: str, state: bytes) -> httpx.Response:
        text = base64.b64encode(state).decode()
        return server.post(f"/v1/{path}", body | {"model": model, "state": text})

    for bad in (b"", state[:10], state[:-1], state[:40] + b"\0\0" + state[42:], b"NCS1" + state[4:]):
        _refused(send("tiny", bad), 400, "state_invalid", "state")
    _refused(send("lines", state), 409, "state_model_mismatch", "state")
    _refused(
        server.post(f"/v1/{path}", body | {"model": "tiny", "state": "%%%"}), 400, "invalid_value", "state"
    )


def test_a_completion_goes_on_from_one_place_of_one_model(server: LiveServer) -> None:
    session = Session.create(server)
    fields = {"model": "tiny", "session_id": session.id}
    both = server.post("/v1/completions", fields | {"return_state": True})
    _refused(both, 400, "invalid_value", None)
    _refused(
        server.post("/v1/completions", fields | {"model": "lines"}), 409, "state_model_mismatch", "model"
    )
    _refused(
        server.post("/v1/completions", fields | {"session_id": "none"}),
        404,
        "session_not_found",
        "session_id",
    )
    assert session.info()["position"] == 0
