"""Calls beyond the limit end with a status, advice and a count, and health is answered beside them."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.engine_lanes import Gate
from support.live_server import LiveServer, live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs

NEXT = pb.NextRequest(model="tiny", input="a")
_SECONDS = 60


def num_in_progress(server: LiveServer) -> float:
    return server.metric("nextchar_requests_in_progress", protocol="grpc")


def is_answered(stub: stubs.NextcharStub) -> bool:
    """Returns whether there is room for a call; what frees it is done a moment after the last answer."""
    try:
        return bool(stub.Next(NEXT).data)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return False
        raise


@pytest.fixture
def narrow(models: Path) -> Iterator[LiveServer]:
    """A server of three gRPC calls at a time; it has started before a gate holds its engines."""
    with live_server(models, grpc_max_calls=3) as running:
        yield running


@pytest.fixture
def stub(narrow: LiveServer) -> Iterator[stubs.NextcharStub]:
    with narrow.stub() as made:
        yield made


def test_a_call_too_many_is_refused_with_advice_and_counted(
    narrow: LiveServer, stub: stubs.NextcharStub, gate: Gate
) -> None:
    running = [stub.Next.future(NEXT, timeout=_SECONDS) for _ in range(3)]
    until(lambda: num_in_progress(narrow) == 3)
    for call in (lambda: stub.Next(NEXT), lambda: list(stub.ScoreStream(iter([])))):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        code, _, retry_seconds = details(caught.value)
        assert (code, retry_seconds is not None) == ("queue_full", True)
    with grpc.insecure_channel(narrow.grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    counted = {"protocol": "grpc", "outcome": "rejected"}
    assert narrow.metric("nextchar_requests_total", route="next", **counted) == 1
    assert narrow.metric("nextchar_requests_total", route="score", **counted) == 1
    gate.open()
    assert all(call.result().data for call in running)
    until(lambda: is_answered(stub))  # their places are free again


def test_a_call_that_is_given_up_frees_its_place(
    narrow: LiveServer, stub: stubs.NextcharStub, gate: Gate
) -> None:
    running = [stub.Next.future(NEXT, timeout=_SECONDS) for _ in range(3)]
    until(lambda: num_in_progress(narrow) == 3)
    for call in running:
        call.cancel()
    gate.open()
    until(lambda: is_answered(stub))
