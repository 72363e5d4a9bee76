"""A model of bytes takes any text, and gives text back whole however its bytes come."""

import math

from support.live_server import LiveServer

_TEXT = "né €\N{GRINNING FACE}"


def test_a_string_is_scored_byte_by_byte(server: LiveServer) -> None:
    body = {"model": "bytes", "input": [_TEXT, "a\x01b"], "return_chars": True}
    first, second = server.post("/v1/score", body).json()["data"]
    assert first["num_chars"] == len(_TEXT.encode())
    assert [entry["char"] for entry in first["chars"]][:4] == ["n", r"bytes:\xc3", r"bytes:\xa9", " "]
    assert math.isclose(sum(entry["logprob"] for entry in first["chars"]), first["logprob"], abs_tol=1e-9)
    assert second["num_unknown"] == 0


def test_next_is_over_the_256_bytes(server: LiveServer) -> None:
    data = server.post("/v1/next", {"model": "bytes", "input": "é"}).json()["data"]
    assert sorted(entry["id"] for entry in data) == list(range(256))
    assert {entry["char"] for entry in data} >= {"a", r"bytes:\xc3"}
    assert math.isclose(sum(entry["probability"] for entry in data), 1, abs_tol=1e-6)


def test_an_echoed_prompt_is_the_text_that_was_sent(server: LiveServer) -> None:
    body = {"model": "bytes", "prompt": _TEXT, "echo": True, "max_tokens": 0, "logprobs": 1}
    choice = server.post("/v1/completions", body).json()["choices"][0]
    assert choice["text"] == _TEXT
    assert len(choice["logprobs"]["tokens"]) == len(_TEXT.encode())
    assert choice["logprobs"]["text_offset"][-1] == len(_TEXT) - 1
