"""Fifty clients of each protocol vanish mid-stream: no task, lane, request or descriptor is left."""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass

import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import TinyModel, write_models
from support.waiting import until

NUM_CLIENTS = 50
_SECONDS = 60
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a client that crashed
LONG = {"model": "slow", "prompt": "", "max_tokens": 16_384, "seed": 1, "logprobs": 5}

# A process of many gRPC clients, each with a connection of its own, that says when all have got something.
_GRPC_CLIENTS = """
import sys
import grpc
from nextchar.pb import nextchar_pb2 as pb, nextchar_pb2_grpc as stubs
calls = []
for _ in range(int(sys.argv[2])):
    channel = grpc.insecure_channel(sys.argv[1], [("grpc.use_local_subchannel_pool", 1)])
    request = pb.CompletionRequest(model="slow", max_tokens=16_384, seed=1, logprobs=5)
    calls.append((channel, stubs.NextcharStub(channel).Complete(request)))
for _, call in calls:
    next(call)
print("all", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Held:
    """What a server holds: it is in this process, whose descriptors are counted."""

    num_tasks: int
    num_files: int
    num_running: int
    num_waiting: int
    num_in_progress: float

    def no_more_than(self, other: "Held") -> bool:
        return all(mine <= its for mine, its in zip(astuple(self), astuple(other), strict=True))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    models = write_models(tmp_path_factory.mktemp("slow"), {"slow": TinyModel(hidden_size=128, seed=5)})
    with live_server(models, max_lanes=2 * NUM_CLIENTS) as running:
        yield running


def held(server: LiveServer) -> Held:
    async def num_tasks() -> int:
        return len(asyncio.all_tasks()) - 1  # without this one

    engines = [model.engine for model in server.app.service.served_models]
    return Held(
        asyncio.run_coroutine_threadsafe(num_tasks(), server.loop).result(_SECONDS),
        len(os.listdir("/proc/self/fd")),
        sum(engine.num_running for engine in engines),
        sum(model.num_waiting for model in server.app.service.served_models),
        server.metric("nextchar_requests_in_progress"),
    )


def rest_clients(server: LiveServer, num_clients: int, while_there: Callable[[], None]) -> None:
    """Every other one closes its connection; the others crash."""
    content = json.dumps({**LONG, "stream": True}).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    )
    address = ("127.0.0.1", server.app.http_port)
    clients = [socket.create_connection(address, timeout=_SECONDS) for _ in range(num_clients)]
    for client in clients:
        client.sendall(head + content)
    for client in clients:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    while_there()
    for number, client in enumerate(clients):
        if number % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.close()


def grpc_clients(server: LiveServer, num_clients: int, while_there: Callable[[], None]) -> None:
    """They are in a process of their own, which is killed."""
    command = [sys.executable, "-c", _GRPC_CLIENTS, server.grpc_address, str(num_clients)]
    paths = os.pathsep.join(sys.path)
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": paths},
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"all\n"
            while_there()
        finally:
            process.kill()


Clients = Callable[[LiveServer, int, Callable[[], None]], None]


@pytest.mark.parametrize(("protocol", "clients"), [("rest", rest_clients), ("grpc", grpc_clients)])
def test_nothing_of_clients_that_vanish_is_left(server: LiveServer, protocol: str, clients: Clients) -> None:
    def cancelled() -> float:
        return server.metric("nextchar_requests_total", outcome="cancelled", protocol=protocol)

    def vanish(num_clients: int) -> Held:
        wanted, there = cancelled() + num_clients, []
        clients(server, num_clients, lambda: there.append(held(server)))
        until(lambda: cancelled() == wanted)
        return there[0]

    vanish(1)  # what the first client of a protocol makes is the server's own
    until(lambda: held(server).num_in_progress == 0 == held(server).num_running)
    settled = held(server)
    there = vanish(NUM_CLIENTS)
    assert there.num_in_progress == NUM_CLIENTS
    assert there.num_tasks >= settled.num_tasks + NUM_CLIENTS
    assert there.num_files >= settled.num_files + NUM_CLIENTS
    until(lambda: held(server).no_more_than(settled))
