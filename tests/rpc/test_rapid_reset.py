"""Calls that are reset as soon as they are opened take nothing from the calls of other connections."""

import threading
from pathlib import Path

import grpc
from benchmarks.drills.rapid_reset import flood
from support.live_server import live_server

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs

_NEXT = "/nextchar.v1.Nextchar/Next"


def test_an_honest_connection_beside_a_flood_of_resets_has_no_failed_call(models: Path) -> None:
    with live_server(models) as server:
        port, sent = server.app.grpc_port, []
        floods = [
            threading.Thread(target=lambda: sent.append(flood(port, _NEXT, num_calls=5000, seconds=20)))
            for _ in range(2)
        ]
        for thread in floods:
            thread.start()
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = stubs.NextcharStub(channel)
            while any(thread.is_alive() for thread in floods):
                stub.Next(pb.NextRequest(model="tiny", input="a"), timeout=30)
        assert sum(sent) > 1000
