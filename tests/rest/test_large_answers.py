"""A large answer is written in pieces, with other work in between, and is the same as one written whole."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.live_server import LiveServer, live_server
from support.rpc_answers import details

from nextchar.engine import cooperative
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rest import handler as rest_handler
from nextchar.rpc import handler as rpc_handler
from nextchar.schemas.base import make_usage
from nextchar.schemas.completion import Choice, Completion, Logprobs
from nextchar.telemetry.request_context import RequestContext

TEXT = "to be or not to be, that is the question. " * 60
SCORE, COMPLETE = "/v1/score", "/v1/completions"
LARGE: list[tuple[str, dict[str, Any]]] = [
    (SCORE, {"input": [TEXT, "a", TEXT, ""], "return_chars": True}),
    (COMPLETE, {"prompt": TEXT, "echo": True, "logprobs": 20, "max_tokens": 100, "n": 2, "seed": 1}),
    (COMPLETE, {"prompt": TEXT, "prompt_logprobs": 5, "max_tokens": 3, "seed": 1, "return_token_ids": True}),
]
STUBS = {SCORE: ("Score", pb.ScoreRequest), COMPLETE: ("Complete", pb.CompletionRequest)}


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("id", "created")}


@pytest.mark.parametrize(("path", "fields"), LARGE)
def test_pieces_are_what_would_be_written_whole(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    whole = server.post(path, {"model": "tiny", **fields})
    monkeypatch.setattr(rest_handler, "IN_PIECES_BYTES", 0)
    pieces = server.post(path, {"model": "tiny", **fields})
    assert pieces.headers["transfer-encoding"] == "chunked"
    assert {"x-request-id", "x-total-time", "x-prompt-tokens"} <= pieces.headers.keys()
    assert body_of(pieces.json()) == body_of(whole.json())
    assert len(pieces.content) == len(whole.content)


@pytest.mark.parametrize(("path", "fields"), [LARGE[0], LARGE[2]])
def test_a_message_in_parts_is_what_would_be_made_at_once(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    found = []
    for limit in (rpc_handler.IN_PIECES_BYTES, 0, 2**62):
        monkeypatch.setattr(rpc_handler, "IN_PIECES_BYTES", limit)
        name, kind = STUBS[path]
        with server.stub() as stub:
            answer = getattr(stub, name)(kind(model="tiny", **fields), timeout=60)
            for message in list(answer) if hasattr(answer, "__next__") else [answer]:
                for field in ("id", "created"):
                    if path == COMPLETE:
                        message.ClearField(field)
                found.append(message)
    assert found[0] == found[1] == found[2]


def a_large_answer() -> Completion:
    count = 20_000
    logprobs = Logprobs(
        tokens=["a"] * count,
        token_logprobs=[-0.5] * count,
        top_logprobs=[{"a": -0.5, "b": -1.5}] * count,
        text_offset=list(range(count)),
    )
    return Completion(
        id="1",
        created=1,
        model="m",
        model_version="1",
        system_fingerprint="f",
        choices=[Choice(text="a" * count, logprobs=logprobs)],
        usage=make_usage(1),
    )


def test_other_work_runs_between_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooperative, "_SLICE_SECONDS", 0.0)  # a message may stop after every block
    answer = a_large_answer()
    ctx = RequestContext("complete", "grpc", 0.0, "an-id", answer_bytes=2**30)

    async def run() -> None:
        num_turns = 0

        async def other() -> None:
            nonlocal num_turns
            while True:
                num_turns += 1
                await asyncio.sleep(0)

        beside = asyncio.ensure_future(other())
        sizes = [len(piece) async for piece in rest_handler._in_pieces(answer)]
        assert len(sizes) > 10
        assert max(sizes) < 64 * 1024
        assert num_turns >= len(sizes)
        before = num_turns
        await rpc_handler.as_message(answer, pb.Completion, ctx)
        assert num_turns - before > 1000
        beside.cancel()

    asyncio.run(run())


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_answer_bytes=100_000) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        (SCORE, {"input": [TEXT], "return_chars": True}, "return_chars"),
        (COMPLETE, {"prompt": TEXT, "echo": True, "logprobs": 20}, "logprobs"),
        (COMPLETE, {"prompt": TEXT, "prompt_logprobs": 20}, "prompt_logprobs"),
    ],
)
def test_an_answer_that_would_be_too_large_is_refused_at_both_doors(
    small: LiveServer, path: str, fields: dict[str, Any], param: str
) -> None:
    assert small.get("/v1/limits").json()["request"]["max_answer_bytes"] == 100_000
    answer = small.post(path, {"model": "tiny", **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (413, "answer_too_large", param)
    assert "the limit is 100000 (max_answer_bytes): " in error["message"]
    name, kind = STUBS[path]
    message = kind(model="tiny", **(fields | {"max_tokens": 9000} if path == COMPLETE else fields))
    with small.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        list(getattr(stub, name)(message))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(caught.value) == ("answer_too_large", param, None)


def test_a_generation_that_would_be_too_large_is_refused(small: LiveServer) -> None:
    fields = {"text_input": "a", "parameters": {"max_tokens": 16_000, "details": True}}
    answer = small.post("/v2/models/tiny/generate", fields)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (413, "answer_too_large")


def test_too_many_items_are_refused_at_both_doors(server: LiveServer) -> None:
    answer = server.post(COMPLETE, {"model": "tiny", "prompt": [""] * 20_000})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "too_many_items")
    assert "has 20003 strings and fields, the limit is 10240: send it in several requests" in error["message"]
    tensors = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [""] * 20_000}]}
    answer = server.post("/v2/models/tiny/infer", tensors)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (400, "too_many_items")
    messages = [pb.ScoreRequest(model="tiny", input=["a"] * 20_000)]
    with server.stub() as stub:
        for call in (lambda: stub.Score(messages[0]), lambda: list(stub.ScoreStream(iter(messages)))):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert details(caught.value)[0] == "too_many_items"
            assert "strings and fields, the limit is 10240" in caught.value.details()  # counted on its bytes
