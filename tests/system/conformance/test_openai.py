"""The openai SDK as it comes: models, completions with every parameter, streams, its own exceptions."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.live_server import LiveServer
from support.tools import tool_python

_SCRIPT = Path(__file__).with_name("openai_calls.py")
_SECONDS = 120


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it."""
    command = [tool_python("openai"), _SCRIPT, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def complete(server: LiveServer, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = server.post("/v1/completions", {"model": "tiny", **fields}).json()
    return answer


def test_it_sees_the_models(found: dict[str, Any]) -> None:
    assert sorted(found["models"]) == ["lines", "spare", "tiny"]
    assert found["model"] == "tiny"


def test_every_parameter_means_what_it_means_to_us(server: LiveServer, found: dict[str, Any]) -> None:
    body = {
        **{"prompt": ["ab", "c"], "n": 2, "best_of": 3, "echo": True, "seed": 7, "stop": ["q", "zz"]},
        **{"frequency_penalty": 0.5, "presence_penalty": 0.5, "repetition_penalty": 1.1, "top_k": 10},
        **{"logit_bias": {"5": 2}, "logprobs": 2, "max_tokens": 12, "temperature": 0.8, "top_p": 0.95},
        "min_p": 0.01,
    }
    ours, theirs = complete(server, **body), found["whole"]
    assert theirs["usage"] == ours["usage"]
    assert theirs["system_fingerprint"] == ours["system_fingerprint"]
    assert [c["index"] for c in theirs["choices"]] == [0, 1, 2, 3]
    for mine, choice in zip(ours["choices"], theirs["choices"], strict=True):
        assert (choice["text"], choice["finish_reason"]) == (mine["text"], mine["finish_reason"])
        assert choice["logprobs"] == mine["logprobs"]


def test_no_parameter_of_the_sdk_is_left_out(found: dict[str, Any]) -> None:
    transport = {"extra_headers", "extra_query", "extra_body", "timeout"}
    assert set(found["parameters"]) - transport == set(found["given"]) - transport


def test_ids_are_a_prompt(server: LiveServer, found: dict[str, Any]) -> None:
    ours = complete(server, prompt=[[3, 4], [5]], max_tokens=5, seed=1)
    assert found["by_ids"] == [choice["text"] for choice in ours["choices"]]


def test_a_prompt_is_scored(server: LiveServer, found: dict[str, Any]) -> None:
    body = {"model": "tiny", "input": ["hello"], "return_chars": True}
    chars = server.post("/v1/score", body).json()["data"][0]["chars"]
    assert found["scored"]["tokens"] == [char["char"] for char in chars]
    assert found["scored"]["token_logprobs"] == [char["logprob"] for char in chars]
    assert found["scored"]["text_offset"] == [0, 1, 2, 3, 4]


def test_a_stream_is_the_whole_answer(server: LiveServer, found: dict[str, Any]) -> None:
    ours = complete(server, prompt="ab", max_tokens=40, seed=3)
    assert found["streamed"]["text"] == ours["choices"][0]["text"]
    assert found["streamed"]["finish_reason"] == "length"
    assert found["streamed"]["usage"] == ours["usage"]


def test_a_stream_of_several_is_the_whole_answer_without_blocking(
    server: LiveServer, found: dict[str, Any]
) -> None:
    ours = complete(server, prompt=["ab", "c"], n=2, max_tokens=40, seed=3, stop="zz")
    assert found["asynchronous"] == {str(c["index"]): c["text"] for c in ours["choices"]}


def test_errors_are_its_own_exceptions(found: dict[str, Any]) -> None:
    kind = "invalid_request_error"
    assert found["refusals"] == {
        "temperature": ["BadRequestError", 400, "invalid_value", "temperature", kind],
        "suffix": ["BadRequestError", 400, "invalid_value", "suffix", kind],
        "unknown field": ["BadRequestError", 400, "unknown_field", "no_such_field", kind],
        "model": ["NotFoundError", 404, "model_not_found", "model", kind],
        "too long": ["APIStatusError", 413, "input_too_large", "prompt", kind],
    }
