"""The KServe SDK's inference clients over REST and gRPC, as they come."""

from typing import Any

import pytest
from client_program import HERE, answers, tensors
from support.live_server import LiveServer
from support.tools import tool_python

TEXTS = ["hello", "abc é"]
STEPS = ["he", "llo", " there"]
_PROTOCOLS = pytest.mark.parametrize("protocol", ["rest", "grpc"])


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the clients got, of one run of them."""
    command = (tool_python("kserve"), HERE / "kserve_calls.py", server.url, server.grpc_address, "tiny")
    answer: dict[str, Any] = answers(*command)
    return answer


@_PROTOCOLS
def test_its_numbers_are_those_of_the_native_calls(
    server: LiveServer, found: dict[str, Any], protocol: str
) -> None:
    wanted = tensors(server, TEXTS)
    assert found[protocol]["binary"] == wanted
    assert found[protocol]["chosen"] == {"score": wanted["score"]}
    assert found[protocol]["id"] == "mine"


@_PROTOCOLS
def test_parameters_that_are_not_ours_change_nothing(found: dict[str, Any], protocol: str) -> None:
    assert found[protocol]["open"] == found[protocol]["binary"]


def test_json_tensors_are_those_of_bytes(server: LiveServer, found: dict[str, Any]) -> None:
    assert found["rest"]["json"] == tensors(server, TEXTS)


@_PROTOCOLS
def test_a_sequence_goes_on(server: LiveServer, found: dict[str, Any], protocol: str) -> None:
    for i, step in enumerate(found[protocol]["sequence"]):
        wanted = tensors(server, [STEPS[i]], context="".join(STEPS[:i]))
        assert step.pop("score") == pytest.approx(wanted.pop("score"), abs=1e-9)
        assert step == wanted


@_PROTOCOLS
def test_it_sees_the_server_and_the_model_ready(found: dict[str, Any], protocol: str) -> None:
    assert [found[protocol][name] for name in ("live", "ready", "model_ready")] == [True, True, True]


@_PROTOCOLS
def test_it_raises_what_was_wrong(found: dict[str, Any], protocol: str) -> None:
    assert "'none' is not served" in found[protocol]["refused"]
