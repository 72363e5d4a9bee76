"""Server-sent events, byte by byte: a strict reader takes them, and a failure midway ends them in one way."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from engine.estimates.engine_clocks import Clock
from support.event_stream import BrokenStream, read_events
from support.live_server import LiveServer, live_server
from support.midway import fails, midway
from support.rpc_answers import details

from nextchar.pb import nextchar_pb2 as pb

DONE = "[DONE]"
LONG = {"max_tokens": 16_384, "seed": 1}
_SECONDS = 60
_SAMPLE, _COMPLETE = "/v1/sessions/here/sample", "/v1/completions"
_GENERATE = "/v2/models/tiny/generate_stream"


def stream_of(server: LiveServer, path: str, body: dict[str, Any]) -> list[bytes]:
    """The bytes as they come from the network."""
    with server.stream(path, body) as answer:
        chunks = list(answer.iter_raw())
        assert answer.status_code == 200, b"".join(chunks)
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return chunks


def asked(path: str, **fields: Any) -> dict[str, Any]:
    """A body that asks a path for a stream."""
    if path == _GENERATE:
        return {"text_input": "né", "parameters": fields}
    prompt = {} if path == _SAMPLE else {"model": "tiny", "prompt": "né"}
    return {**prompt, "stream": True, **fields}


@pytest.fixture(scope="module")
def streaming(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as server:
        server.post("/v1/sessions", {"model": "tiny", "session_id": "here", "prime": "né"})
        yield server


@pytest.mark.parametrize(
    "wrong", [b"data: a", b"data: a\n", b"data: a\r\n\r\n", b"a\n\n", b"data: a\ndata: b\n\n", b"\n\n"]
)
def test_the_reader_is_strict(wrong: bytes) -> None:
    with pytest.raises(BrokenStream):
        read_events([wrong])
    assert read_events([b"da", b"ta: \xc3", b"\xa9\n", b"\n: ping\n\ndata: b\n\n"]) == ["é", "b"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (_COMPLETE, {"max_tokens": 500, "temperature": 2}),
        (_COMPLETE, {"max_tokens": 0}),
        (_COMPLETE, {"max_tokens": 40, "n": 3, "logprobs": 2, "echo": True}),
        (_COMPLETE, {"model": "bytes", "max_tokens": 500, "temperature": 2, "logprobs": 1}),
        (_COMPLETE, {"max_tokens": 60, "stream_options": {"include_usage": True, "min_event_chars": 1}}),
        (_SAMPLE, {"max_tokens": 60}),
        (_GENERATE, {"max_tokens": 60, "details": True}),
    ],
)
def test_a_strict_reader_takes_every_stream(streaming: LiveServer, path: str, fields: dict) -> None:
    events = read_events(stream_of(streaming, path, asked(path, **fields)))
    if path != _GENERATE:
        assert events.pop() == DONE
    assert DONE not in events
    for event in events:
        assert "error" not in json.loads(event)


def check_failed(chunks: list[bytes], code: str | None) -> None:
    """Something came, then one error, and that is all."""
    assert b"secret" not in b"".join(chunks)
    *events, last = map(json.loads, read_events(chunks))  # [DONE] is no JSON
    assert len(events) > 1
    assert all("error" not in event for event in events)
    assert list(last) == ["error"]
    if code is not None:
        assert set(last["error"]) == {"message", "type", "param", "code"}
        assert last["error"]["code"] == code
    else:
        assert isinstance(last["error"], str)


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        (_COMPLETE, {}, "server_error"),
        (_COMPLETE, {"n": 4, "stream_options": {"include_usage": True}}, "server_error"),
        (_SAMPLE, {}, "server_error"),
        (_GENERATE, {}, None),
    ],
)
def test_a_stream_that_fails_midway_ends_with_one_error_and_is_not_done(
    models: Path, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any], code: str | None
) -> None:
    with live_server(models) as server:
        server.post("/v1/sessions", {"model": "tiny", "session_id": "here"})
        midway(monkeypatch, server, fails)
        check_failed(stream_of(server, path, asked(path, **LONG, **fields)), code)
        assert server.metric("nextchar_requests_total", outcome="error", protocol="rest") == 1


def test_a_grpc_stream_that_fails_midway_ends_with_its_status(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_server(models) as server, server.stub() as stub:
        midway(monkeypatch, server, fails)
        came = []
        with pytest.raises(grpc.RpcError) as caught:
            came.extend(stub.Complete(pb.CompletionRequest(model="tiny", **LONG)))
        assert len(came) > 1
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert details(caught.value)[0] == "server_error"
        assert "secret" not in str(caught.value.details())


@pytest.mark.parametrize(
    ("path", "code"), [(_COMPLETE, "deadline_exceeded"), (_SAMPLE, "deadline_exceeded"), (_GENERATE, None)]
)
def test_a_stream_whose_time_is_up_ends_so_too(
    streaming: LiveServer, monkeypatch: pytest.MonkeyPatch, path: str, code: str | None
) -> None:
    clock = Clock(monkeypatch)
    midway(monkeypatch, streaming, clock.jump)
    check_failed(stream_of(streaming, path, asked(path, **LONG)), code)
    assert streaming.metric("nextchar_requests_total", outcome="timeout", protocol="rest") >= 1
