"""The openai SDK of Node, as it comes."""

from typing import Any

import pytest
from client_program import HERE, answers, complete
from support.live_server import LiveServer
from support.tools import node_packages

DRAWN: dict[str, Any] = {"max_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95, "stop": ["zz"]}


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it."""
    node, packages = node_packages("node-openai")
    answer: dict[str, Any] = answers(
        node, HERE / "openai_calls.cjs", server.url, environment={"NODE_PATH": str(packages)}
    )
    return answer


def test_it_sees_the_models(found: dict[str, Any]) -> None:
    assert sorted(found["models"]) == ["lines", "tiny"]
    assert found["model"] == "tiny"


def test_its_texts_are_those_of_the_native_calls(server: LiveServer, found: dict[str, Any]) -> None:
    assert found["whole"] == complete(server, prompt=["ab", "c"], n=2, **DRAWN)
    assert [found["streamed"]["text"]] == complete(server, prompt="ab", **DRAWN)
    assert [found["beyond"]] == complete(server, prompt="ab", top_k=3, **DRAWN)
    assert found["request_id"]


def test_it_reads_log_probabilities_and_usage(server: LiveServer, found: dict[str, Any]) -> None:
    body = {"model": "tiny", "input": ["hello"], "return_chars": True}
    (score,) = server.post("/v1/score", body).json()["data"]
    assert found["logprobs"] == pytest.approx([char["logprob"] for char in score["chars"]], abs=1e-9)
    assert found["usage"]["prompt_tokens"] == 3
    assert found["streamed"]["usage"]["prompt_tokens"] == 2


def test_its_errors_are_the_sdks_own(found: dict[str, Any]) -> None:
    assert found["refusals"] == {
        "temperature": ["BadRequestError", 400, "invalid_value", "temperature", "invalid_request_error"],
        "unknown_model": ["NotFoundError", 404, "model_not_found", "model", "invalid_request_error"],
        "too_long": ["APIError", 413, "input_too_large", "prompt", "invalid_request_error"],
    }
