"""Calls beyond the limit end with a status, advice and a count, and health is answered beside them."""

import threading
from collections import Counter
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


@pytest.mark.parametrize("num_channels", [1, 4])
def test_more_calls_at_once_than_grpc_queues_by_default_all_end_with_a_status_that_is_counted(
    models: Path, num_channels: int
) -> None:
    """Of 1,100 calls at once some ended as CANCELLED: gRPC itself queued 1,000 of a method at most."""
    num_calls = 1200
    with live_server(models, max_waiting=100) as server:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.insecure_channel(server.grpc_address, options) for _ in range(num_channels)]
        statuses: Counter[grpc.StatusCode] = Counter()
        without_advice: list[grpc.RpcError] = []
        ended, last = threading.Lock(), threading.Event()

        def note(call: grpc.Future) -> None:
            with ended:
                code = call.code()
                statuses[code] += 1
                if code is grpc.StatusCode.RESOURCE_EXHAUSTED and details(call)[2] is None:
                    without_advice.append(call)
                if statuses.total() == num_calls:
                    last.set()

        hold = threading.Event()
        server.loop.call_soon_threadsafe(hold.wait)  # so that all of them arrive at once
        for number in range(num_calls):
            stub = stubs.NextcharStub(channels[number % num_channels])
            stub.Next.future(NEXT, timeout=_SECONDS).add_done_callback(note)
        hold.set()
        assert last.wait(_SECONDS)
        assert set(statuses) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}, statuses
        assert not without_advice
        until(lambda: server.metric("nextchar_requests_total", protocol="grpc") == num_calls)
        for channel in channels:
            channel.close()
