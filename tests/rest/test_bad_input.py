"""Each bad input: one clear error that names the field and the limit, and the server goes on."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from support.live_server import LiveServer, live_server
from support.rpc_answers import details

from nextchar.pb import nextchar_pb2 as pb

SCORE, NEXT, COMPLETE = "/v1/score", "/v1/next", "/v1/completions"


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[LiveServer]:
    """A server with low limits that is strict about characters."""
    limits = {"max_strings": 4, "max_input_chars": 100, "max_request_chars": 150, "max_tokens": 50}
    with live_server(models, strict_characters=True, max_body_bytes=2000, **limits) as running:
        yield running


def check(answer: httpx.Response, status: int, code: str, param: str | None, told: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param), error
    assert told in error["message"]
    assert len(error["message"]) < 400
    assert "Traceback" not in error["message"]


def ask(path: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    needed: dict[str, Any] = {"model": "tiny"}
    if path != COMPLETE:
        needed["input"] = ["a"] if path == SCORE else "a"
    return path, {k: v for k, v in {**needed, **fields}.items() if v is not ...}


INVALID = [
    (ask(SCORE, model="none"), 404, "model_not_found", "model", "served models: "),
    (ask(SCORE, model="tiny:9"), 404, "model_not_found", "model", "in version '9'"),
    (ask(NEXT, model="none"), 404, "model_not_found", "model", "served models: "),
    (ask(COMPLETE, model="none"), 404, "model_not_found", "model", "served models: "),
    (ask(COMPLETE, model="none", stream=True), 404, "model_not_found", "model", "served models: "),
    (ask(SCORE, model=3), 400, "invalid_value", "model", "valid string, is 3"),
    (ask(SCORE, adaptive=1), 400, "invalid_value", "adaptive", "true, false or an object with orders"),
    (ask(SCORE, adaptive={"order": [2]}), 400, "unknown_field", "adaptive.order", "'adaptive.order'"),
    (ask(NEXT, adaptive={"orders": [1, 2, 3, 4, 5]}), 400, "invalid_value", "adaptive.orders", "at most 4"),
    (ask(NEXT, adaptive={"orders": [9]}), 400, "invalid_value", "adaptive.orders.0", "equal to 8, is 9"),
    (ask(NEXT, adaptive={"orders": [2, 2]}), 400, "invalid_value", "adaptive.orders", "must be rising"),
    (ask(COMPLETE, adaptive={"window": 1}), 400, "invalid_value", "adaptive.window", "equal to 1024, is 1"),
    (ask(COMPLETE, adaptive={"window": 3000}), 400, "invalid_value", "adaptive.window", "a power of two"),
    (
        ask(COMPLETE, adaptive=True, session_id="a"),
        400,
        "invalid_value",
        "adaptive",
        "a session is adaptive if it was created so",
    ),
    (ask(SCORE, input=...), 400, "invalid_value", "input", "required"),
    (ask(SCORE, input=[]), 400, "invalid_value", "input", "at least 1 item"),
    (ask(SCORE, input="a"), 400, "invalid_value", "input", "array"),
    (ask(SCORE, input=["a", None]), 400, "invalid_value", "input.1", "valid string"),
    (ask(SCORE, context=1), 400, "invalid_value", "context", "valid string"),
    (ask(SCORE, return_chars="yes"), 400, "invalid_value", "return_chars", "boolean"),
    (ask(SCORE, include_end=True), 400, "invalid_value", "include_end", "no end symbol"),
    (ask(SCORE, inputs=["a"]), 400, "unknown_field", "inputs", "'inputs'"),
    (ask(NEXT, input=["a"]), 400, "invalid_value", "input", "valid string"),
    (ask(NEXT, top=0), 400, "invalid_value", "top", "greater than or equal to 1, is 0"),
    (ask(NEXT, top=1.5), 400, "invalid_value", "top", "integer"),
    (ask(COMPLETE, temperature=-1), 400, "invalid_value", "temperature", "equal to 0, is -1"),
    (ask(COMPLETE, temperature=2.5), 400, "invalid_value", "temperature", "equal to 2"),
    (ask(COMPLETE, temperature="1"), 400, "invalid_value", "temperature", "valid number"),
    (ask(COMPLETE, temperature=True), 400, "invalid_value", "temperature", "valid number"),
    (ask(COMPLETE, top_p=0), 400, "invalid_value", "top_p", "greater than 0"),
    (ask(COMPLETE, top_p=1.1), 400, "invalid_value", "top_p", "equal to 1"),
    (ask(COMPLETE, min_p=-0.1), 400, "invalid_value", "min_p", "equal to 0"),
    (ask(COMPLETE, top_k=-2), 400, "invalid_value", "top_k", "equal to -1"),
    (ask(COMPLETE, top_k=1.5), 400, "invalid_value", "top_k", "integer"),
    (ask(COMPLETE, typical_p=0), 400, "invalid_value", "typical_p", "greater than 0"),
    (ask(COMPLETE, typical_p=1.1), 400, "invalid_value", "typical_p", "equal to 1"),
    (ask(COMPLETE, max_tokens=-1), 400, "invalid_value", "max_tokens", "equal to 0"),
    (ask(COMPLETE, max_tokens=16385), 400, "invalid_value", "max_tokens", "the limit is 16384"),
    (ask(COMPLETE, seed=2**63), 400, "invalid_value", "seed", str(2**63 - 1)),
    (ask(COMPLETE, stop=["", "a", "b", "", ""]), 400, "invalid_value", "stop", "at most 4 items"),
    (ask(COMPLETE, stop=list("abcde")), 400, "invalid_value", "stop", "at most 4 items"),
    (ask(COMPLETE, logprobs=21), 400, "invalid_value", "logprobs", "equal to 20"),
    (ask(COMPLETE, prompt=3), 400, "invalid_value", "prompt", "must be a string"),
    (ask(COMPLETE, stream_options={"x": 1}), 400, "unknown_field", "stream_options.x", "unknown field"),
    (ask(SCORE, model="refusing", input=["aé", "a\0"]), 422, "unknown_character", "input.1", "U+0000"),
    (ask(NEXT, model="refusing", input="\N{SNOWMAN}"), 422, "unknown_character", "input", "U+2603"),
    (ask(COMPLETE, model="refusing", prompt="A"), 422, "unknown_character", "prompt", "U+0041"),
]


@pytest.mark.parametrize(("request_", "status", "code", "param", "told"), INVALID)
def test_rest_refuses(
    server: LiveServer, request_: tuple[str, dict], status: int, code: str, param: str, told: str
) -> None:
    check(server.post(*request_), status, code, param, told)
    assert server.post(*ask(SCORE)).status_code == 200


def test_a_stop_string_the_model_cannot_say_is_fine(server: LiveServer) -> None:
    assert server.post(*ask(COMPLETE, model="refusing", stop="\N{SNOWMAN}")).status_code == 200


_MESSAGES = {
    SCORE: (pb.ScoreRequest, "Score"),
    NEXT: (pb.NextRequest, "Next"),
    COMPLETE: (pb.CompletionRequest, "Complete"),
}
_STATUS = {404: grpc.StatusCode.NOT_FOUND}


def expressible(case: tuple) -> bool:
    try:
        as_message(*case[0])
    except (TypeError, ValueError):
        return False
    return True


def as_message(path: str, fields: dict[str, Any]) -> Any:
    message_type, _ = _MESSAGES[path]
    converted = any(
        isinstance(v, bool | str) and k in ("temperature", "return_chars") for k, v in fields.items()
    )
    listed = any(isinstance(fields.get(k), str) for k in ("stop", "input")) and path != NEXT
    if converted or listed or (path == SCORE and "input" not in fields):  # no list is an empty one
        raise TypeError("a protobuf message cannot say this")
    return message_type(**fields)


def call(server: LiveServer, path: str, message: Any) -> grpc.RpcError:
    with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        _consume(getattr(stub, _MESSAGES[path][1])(message, timeout=30))
    return caught.value


def _consume(answer: Any) -> None:
    """A stream tells its status at its end."""
    if hasattr(answer, "__next__"):
        list(answer)


@pytest.mark.parametrize(
    ("request_", "status", "code", "param", "told"), [c for c in INVALID if expressible(c)]
)
def test_grpc_refuses_alike(
    server: LiveServer, request_: tuple[str, dict], status: int, code: str, param: str, told: str
) -> None:
    error = call(server, request_[0], as_message(*request_))
    assert error.code() is _STATUS.get(status, grpc.StatusCode.INVALID_ARGUMENT)
    assert details(error)[:2] == (code, param)
    assert told in error.details()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(server: LiveServer, value: float) -> None:
    error = call(server, COMPLETE, pb.CompletionRequest(model="tiny", temperature=value))
    assert details(error)[:2] == ("invalid_value", "temperature")
    body = json.dumps({"model": "tiny", "temperature": value})
    answer = server.request("POST", COMPLETE, content=body)
    check(answer, 400, "invalid_value", "temperature", "finite")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"model=tiny",
        b'{"model": "tiny", "input": ["a"],}',
        b'{"model": "tiny", "input": ["\xff"]}',
        b'{"model": "tiny", "input": ["\\ud800"]}',
        b'{"model": "tiny", "input": ["\\ude00\\ud83d"]}',
        b"[" * 10_000,
        b'{"a":' * 3000,
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_not_json_is_refused(server: LiveServer, body: bytes) -> None:
    check(server.request("POST", SCORE, content=body), 400, "invalid_json", None, "not valid JSON")


@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"text"'])
def test_json_that_is_no_object_is_refused(server: LiveServer, body: bytes) -> None:
    check(
        server.request("POST", SCORE, content=body), 400, "invalid_value", None, "the body: input should be"
    )


def test_characters_outside_the_vocabulary_are_counted(server: LiveServer) -> None:
    body = {"model": "tiny", "input": ["a\0b", "\N{SNOWMAN}", "\U0001f600", "ok"]}
    data = server.post(SCORE, body).json()["data"]
    assert [item["num_unknown"] for item in data] == [1, 1, 1, 0]


def test_a_strict_server_refuses_them(small: LiveServer) -> None:
    answer = small.post(SCORE, {"model": "tiny", "input": ["ab", "a\0b"]})
    check(answer, 422, "unknown_character", "input.1", "this server is strict")


def test_a_megabyte_of_string_is_refused(server: LiveServer) -> None:
    answer = server.post(SCORE, {"model": "tiny", "input": ["ok", "x" * 2**20]})
    check(answer, 413, "input_too_large", "input.1", "has 1048576 characters, the limit is 65536")
    answer = server.post(COMPLETE, {"model": "tiny", "prompt": "x" * 2**20})
    check(answer, 413, "input_too_large", "prompt", "the limit is 65536")
    error = call(server, NEXT, pb.NextRequest(model="tiny", input="x" * 2**20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)[:2] == ("input_too_large", "input")


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "told"),
    [
        ({"input": ["a"] * 5}, 400, "too_many_items", "input", "has 5 strings, the limit is 4"),
        ({"input": ["a" * 101]}, 413, "input_too_large", "input.0", "the limit is 100"),
        ({"input": ["a" * 80, "a" * 80]}, 413, "input_too_large", "input", "160 characters in all"),
        ({"input": ["a" * 30] * 2, "context": "b" * 91}, 413, "input_too_large", "input", "151 characters"),
    ],
)
def test_limits_of_a_request(
    small: LiveServer, fields: dict, status: int, code: str, param: str, told: str
) -> None:
    check(small.post(SCORE, {"model": "tiny", **fields}), status, code, param, told)


def test_what_is_exactly_at_the_limit_is_served(small: LiveServer) -> None:
    fits = {"model": "tiny", "input": ["a" * 100, "b" * 40, "", ""], "context": ""}
    assert small.post(SCORE, fits).status_code == 200
    assert small.post(COMPLETE, {"model": "tiny", "max_tokens": 50}).status_code == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(small: LiveServer) -> None:
    """The length alone is enough: the body is never sent, and the answer comes all the same."""
    with socket.create_connection(("127.0.0.1", small.app.http_port), timeout=30) as connection:
        head = f"POST {SCORE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_refused_where_it_passes_the_limit(small: LiveServer) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"model": "tiny", "input": ["'
        for _ in range(100):
            yield b"a" * 100

    answer = small.request("POST", SCORE, content=chunks())
    check(answer, 413, "input_too_large", None, "at most 2000 bytes")


def test_a_message_over_the_limit_is_refused(small: LiveServer) -> None:
    error = call(small, SCORE, pb.ScoreRequest(model="tiny", input=["a" * 3000]))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/score", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
    ],
)
def test_wrong_paths_and_methods(server: LiveServer, method: str, path: str, status: int, code: str) -> None:
    answer = server.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
