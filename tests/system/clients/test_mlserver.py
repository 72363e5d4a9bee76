"""Requests that MLServer's codecs and types write, over REST and gRPC."""

from typing import Any

import pytest
from client_program import HERE, answers, tensors
from support.live_server import LiveServer
from support.tools import tool_python

TEXTS = ["hello", "abc é"]


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it."""
    command = (tool_python("mlserver"), HERE / "mlserver_calls.py", server.url, server.grpc_address, "tiny")
    answer: dict[str, Any] = answers(*command)
    return answer


def as_columns(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs with one shape: its codecs read [n] and [n, 1] alike."""
    return {
        name: [one[0] if isinstance(one, list) and len(one) == 1 else one for one in rows]
        for name, rows in outputs.items()
    }


@pytest.mark.parametrize(
    ("protocol", "way"),
    [("rest", "plain"), ("rest", "nulls"), ("rest", "whole"), ("grpc", "plain"), ("grpc", "raw")],
)
def test_its_numbers_are_those_of_the_native_calls(
    server: LiveServer, found: dict[str, Any], protocol: str, way: str
) -> None:
    assert as_columns(found[protocol][way]) == tensors(server, TEXTS)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_parameters_that_are_not_ours_change_nothing(
    server: LiveServer, found: dict[str, Any], protocol: str
) -> None:
    assert as_columns(found[protocol]["chosen"]) == {"score": tensors(server, TEXTS)["score"]}
    assert found[protocol]["id"] == "mine"
