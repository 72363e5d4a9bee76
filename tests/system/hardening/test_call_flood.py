"""Of a flood of gRPC calls each ends with a status that is counted."""

import threading
from collections import Counter
from pathlib import Path

import grpc
import pytest
from support.live_server import live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs

NEXT = pb.NextRequest(model="tiny", input="a")
_SECONDS = 60


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
