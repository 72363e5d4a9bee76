"""Text to ids and back, for clients that count in tokens; what the server says of its limits."""

from collections.abc import Callable
from typing import Any

import pytest
from support.live_server import LiveServer
from support.rpc_answers import same
from support.tiny_models import LINES, TEXT

from nextchar.engine.estimates.memory_estimate import lane_bytes
from nextchar.pb import nextchar_pb2 as pb


def tokenize(server: LiveServer, prompt: str, **fields: Any) -> dict[str, Any]:
    answer = server.post("/tokenize", {"model": "lines", "prompt": prompt, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_text_is_its_ids_and_they_are_the_text(server: LiveServer) -> None:
    found = tokenize(server, "hello", return_token_strs=True)
    assert found["tokens"] == LINES.vocabulary.encode("hello").tolist()
    assert (found["count"], found["token_strs"]) == (5, list("hello"))
    back = server.post("/detokenize", {"model": "lines", "tokens": found["tokens"]}).json()
    assert back["prompt"] == "hello"


def test_special_symbols_have_labels_that_are_their_ids(server: LiveServer) -> None:
    info = server.get("/tokenizer_info", params={"model": "lines"}).json()
    vocabulary = LINES.vocabulary
    assert tokenize(server, info["bos_token"])["tokens"] == [vocabulary.begin_id]
    assert tokenize(server, info["eos_token"])["tokens"] == [vocabulary.end_id]
    assert tokenize(server, "a", add_special_tokens=True)["tokens"][0] == vocabulary.begin_id
    assert tokenize(server, "<|begin|>a")["count"] == 10  # inside a text they are text
    assert info["vocab_size"] == vocabulary.num_inputs
    of_text = server.get("/tokenizer_info", params={"model": "tiny"}).json()
    assert of_text["eos_token"] is None


def test_a_prompt_of_ids_is_the_prompt_of_text(server: LiveServer) -> None:
    found = server.post("/tokenize", {"model": "tiny", "prompt": "hello"}).json()
    body = {"model": "tiny", "max_tokens": 8, "seed": 1}
    by_ids, by_text = (
        server.post("/v1/completions", {**body, "prompt": prompt}).json()["choices"][0]["text"]
        for prompt in (found["tokens"], "hello")
    )
    assert by_ids == by_text


@pytest.mark.parametrize(("tokens", "status"), [([10**6], 400), ([0] * 70_000, 413), ([-1], 400)])
def test_ids_that_are_none_are_one_clear_error(server: LiveServer, tokens: list[int], status: int) -> None:
    answer = server.post("/detokenize", {"model": "tiny", "tokens": tokens})
    assert answer.status_code == status
    assert answer.json()["error"]["param"].startswith("tokens")


def test_grpc_answers_what_rest_answers(server: LiveServer) -> None:
    with server.stub() as stub:
        request = pb.TokenizeRequest(model="lines", prompt="ab", add_special_tokens=True)
        same(stub.Tokenize(request), tokenize(server, "ab", add_special_tokens=True))
        back = stub.Detokenize(pb.DetokenizeRequest(model="lines", tokens=[0, 1]))
        same(back, server.post("/detokenize", {"model": "lines", "tokens": [0, 1]}).json())
        info = server.get("/tokenizer_info", params={"model": "lines"}).json()
        same(stub.TokenizerInfo(pb.TokenizerInfoRequest(model="lines")), info)
        same(stub.Limits(pb.LimitsRequest()), server.get("/v1/limits").json())


def test_the_limits_that_are_told_are_those_that_hold(server: LiveServer) -> None:
    limits = server.get("/v1/limits").json()
    settings, request = server.settings, limits["request"]
    for name in (
        "max_strings",
        "max_input_chars",
        "max_body_bytes",
        "max_tokens",
        "max_choices",
        "max_adaptive_window",
    ):
        assert request[name] == getattr(settings, name)
    assert limits["owner"]["max_sessions"] == settings.max_sessions
    over = server.post("/v1/score", {"model": "tiny", "input": ["a"] * (request["max_strings"] + 1)})
    assert over.json()["error"]["code"] == "too_many_items"
    (tiny,) = (model for model in limits["models"] if model["model"] == "tiny")
    rows = settings.engine_threads * (settings.max_lanes + settings.reserved_lanes)
    assert tiny["max_lanes"] == rows
    assert tiny["max_adaptive_table_bytes"] == settings.engine_threads * settings.max_adaptive_table_bytes
    assert tiny["rows_bytes"] > rows * lane_bytes(tiny["state_bytes"], TEXT.vocabulary.num_outputs)


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("max_body_bytes", "/v1/next", lambda n: {"input": "a" * n}),
        ("max_strings", "/v1/score", lambda n: {"input": [""] * n}),
        ("max_input_chars", "/v1/next", lambda n: {"input": "a" * n}),
        (
            "max_request_chars",
            "/v1/score",
            lambda n: {"input": ["a" * 1024] * (n // 1024) + ["a" * (n % 1024)]},
        ),
        ("max_tokens", "/v1/completions", lambda n: {"max_tokens": n, "regex": "b"}),
        ("max_choices", "/v1/completions", lambda n: {"prompt": ["a"] * n, "max_tokens": 0}),
        ("max_n", "/v1/completions", lambda n: {"n": n, "max_tokens": 0}),
        ("max_stops", "/v1/completions", lambda n: {"stop": ["a"] * n}),
        ("max_top_logprobs", "/v1/completions", lambda n: {"logprobs": n}),
        (
            "max_pattern_chars",
            "/v1/completions",
            lambda n: {"regex": "a" + "|a" * ((n - 1) // 2) + "?" * (1 - n % 2)},
        ),
        ("max_inspect_chars", "/v1/inspect", lambda n: {"input": "a" * n}),
    ],
)
def test_each_limit_is_where_refusing_begins(
    server: LiveServer, name: str, path: str, body: Callable[[int], dict[str, object]]
) -> None:
    limit = server.get("/v1/limits").json()["request"][name]
    over = server.post(path, {"model": "tiny", **body(limit + 1)})
    assert over.status_code in (400, 413), over.text
    assert over.json()["error"]["type"] == "invalid_request_error"
    if name != "max_body_bytes":  # the rest of the body counts too
        assert server.post(path, {"model": "tiny", **body(limit)}).status_code == 200


def test_positions_are_told_in_symbols_code_points_and_bytes(server: LiveServer) -> None:
    text = "aé€\N{GRINNING FACE}b"
    sizes = [len(c.encode()) for c in text]
    starts = [sum(sizes[:k]) for k in range(len(text))]
    by_byte = [k for k, size in enumerate(sizes) for _ in range(size)]
    for model, code_points, in_bytes in (
        ("tiny", list(range(len(text))), starts),
        ("bytes", by_byte, list(range(sum(sizes)))),
    ):
        body = {"model": model, "input": [text], "return_chars": True}
        chars = server.post("/v1/score", body).json()["data"][0]["chars"]
        assert [c["offset"] for c in chars] == list(range(len(chars)))
        assert [c["code_point_offset"] for c in chars] == code_points
        assert [c["byte_offset"] for c in chars] == in_bytes


def test_a_score_says_where_it_begins_and_whether_it_ends(server: LiveServer) -> None:
    body = {"model": "lines", "input": ["a"], "context": "b", "include_end": True}
    answer = server.post("/v1/score", body).json()
    assert (answer["begins_after"], answer["includes_end"]) == ("context", True)
    plain = server.post("/v1/score", {"model": "lines", "input": ["a"]}).json()
    assert (plain["begins_after"], plain["includes_end"]) == ("begin", False)
