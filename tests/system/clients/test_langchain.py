"""LangChain's OpenAI model, as it comes: it sends some fields of its own, and reads its own errors."""

from typing import Any

import pytest
from client_program import HERE, answers, complete
from support.live_server import LiveServer
from support.tools import tool_python

DRAWN: dict[str, Any] = {"max_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95}


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it."""
    answer: dict[str, Any] = answers(tool_python("langchain"), HERE / "langchain_calls.py", server.url)
    return answer


def test_its_texts_are_those_of_the_native_calls(server: LiveServer, found: dict[str, Any]) -> None:
    (one,) = complete(server, prompt="ab", **DRAWN)
    assert found["whole"] == found["chain"] == found["streamed"] == one
    assert found["asynchronous"] == {"whole": one, "streamed": one}
    assert [found["stopped"]] == complete(server, prompt="ab", stop=["e"], **DRAWN)
    assert found["batch"] == complete(server, prompt=["ab", "c"], stop=["zz"], **DRAWN)
    assert found["several"] == complete(server, prompt="ab", n=2, best_of=2, **DRAWN)


def test_it_reads_the_usage(server: LiveServer, found: dict[str, Any]) -> None:
    body = {"model": "tiny", "prompt": ["ab", "c"], "stop": ["zz"], **DRAWN}
    usage = server.post("/v1/completions", body).json()["usage"]
    assert {name: found["usage"][name] for name in usage if name in found["usage"]} == {
        name: value for name, value in usage.items() if name in found["usage"]
    }
    assert found["usage"]["total_tokens"] == usage["total_tokens"]


def test_it_raises_the_sdks_own_error(found: dict[str, Any]) -> None:
    assert found["no_model"] == [404, "model_not_found"]
