"""LiteLLM's text completions, as it comes."""

from typing import Any

import pytest
from client_program import HERE, answers, complete
from support.live_server import LiveServer
from support.tools import tool_python

DRAWN: dict[str, Any] = {"max_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95, "stop": ["zz"]}


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it, which asks nobody else for prices."""
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    answer: dict[str, Any] = answers(
        tool_python("litellm"), HERE / "litellm_calls.py", server.url, environment=local
    )
    return answer


def test_its_texts_are_those_of_the_native_calls(server: LiveServer, found: dict[str, Any]) -> None:
    (one,) = complete(server, prompt="ab", **DRAWN)
    assert found["streamed"] == one
    assert found["asynchronous"] == [one]
    assert found["whole"] == complete(server, prompt="ab", n=2, **DRAWN)
    assert found["of_many"] == complete(server, prompt=["ab", "c"], **DRAWN)
    assert found["beyond"] == complete(server, prompt="ab", top_k=3, **DRAWN)


def test_it_reads_log_probabilities_and_usage(server: LiveServer, found: dict[str, Any]) -> None:
    body = {"model": "tiny", "input": ["hello"], "return_chars": True}
    (score,) = server.post("/v1/score", body).json()["data"]
    wanted = [char["logprob"] for char in score["chars"]]
    assert found["logprobs"][: len("hello")] == pytest.approx(wanted, abs=1e-9)
    assert found["usage"] == len("hello")


def test_it_raises_its_own_errors_and_says_what_was_wrong(found: dict[str, Any]) -> None:
    name, status, message = found["no_model"]
    assert (name, status) == ("NotFoundError", 404)
    assert "'none' is not served" in message
    name, status, message = found["wrong"]
    assert (name, status) == ("BadRequestError", 400)
    assert "temperature" in message
