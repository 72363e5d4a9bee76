"""Connections of gRPC: kept while they are idle, ended when they are old, as the settings say."""

import asyncio
import inspect
import re
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc._cython import cygrpc
from support.live_server import live_server
from support.tiny_models import TEXT, write_models

from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_options import grpc_options
from nextchar.pb import inference_pb2 as pb
from nextchar.pb import inference_pb2_grpc
from nextchar.rpc import server
from nextchar.rpc.options import GrpcOptions

_WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT})


def test_defaults_let_clients_ping_idle_streams() -> None:
    found = dict(GrpcOptions().channel_arguments())
    assert found["grpc.keepalive_permit_without_calls"] == 1
    assert found["grpc.http2.min_ping_interval_without_data_ms"] <= 10_000
    assert found["grpc.max_connection_age_ms"] == 2**31 - 1
    assert grpc_options(Settings()) == GrpcOptions()


def test_grpc_knows_every_argument() -> None:
    """gRPC ignores one that it does not know, without a word."""
    library = Path(cygrpc.__file__).read_bytes()
    names = [name for name, _ in GrpcOptions().channel_arguments()]
    names += re.findall(r'"(grpc\.[a-z0-9_.]+)"', inspect.getsource(server))
    unknown = [name for name in names if name.encode() not in library]
    assert unknown == []
    assert len(names) > len(GrpcOptions().channel_arguments())


def test_every_setting_reaches_grpc() -> None:
    fields = {name: value + 1.0 for name, value in _numbers(GrpcOptions()).items()}
    both = ("receive_timeout_seconds", "max_connections")
    of_both_protocols: dict[str, Any] = {name: fields.pop(name) for name in both}
    named = {f"grpc_{name}": type(getattr(GrpcOptions(), name))(value) for name, value in fields.items()}
    changed = grpc_options(Settings(**named, **of_both_protocols, grpc_keepalive_without_calls=False))
    before = dict(GrpcOptions().channel_arguments())
    after = dict(changed.channel_arguments())
    assert all(after[name] != before[name] for name in before)


def test_a_number_that_grpc_cannot_hold_is_no_limit(models: Path) -> None:
    huge = 10**30
    fields = dict.fromkeys(_numbers(GrpcOptions()), huge)
    found = dict(GrpcOptions(**fields).channel_arguments())  # type: ignore[arg-type]
    assert all(abs(value) < 2**31 for value in found.values())
    named = {"grpc_max_connection_calls": huge, "grpc_max_calls": huge, "max_body_bytes": huge}
    with live_server(models, **named) as running, grpc.insecure_channel(running.grpc_address) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(pb.ServerLiveRequest()).live


def _numbers(options: GrpcOptions) -> dict[str, float]:
    found = {name: getattr(options, name) for name in GrpcOptions.__dataclass_fields__}
    return {name: value for name, value in found.items() if not isinstance(value, bool)}


@pytest.mark.parametrize("said", [b"", b"PRI * HTTP/2.0\r\n"], ids=["nothing", "half a greeting"])
def test_a_connection_that_does_not_speak_is_ended(models: Path, said: bytes) -> None:
    with (
        live_server(models, receive_timeout_seconds=0.3) as running,
        socket.create_connection(("127.0.0.1", running.app.grpc_port), timeout=_WAIT_SECONDS) as connection,
    ):
        connection.sendall(said)
        while connection.recv(4096):  # the server's own greeting
            pass


def test_an_old_connection_is_ended_and_its_client_goes_on_on_a_new_one(models: Path) -> None:
    old = {"grpc_max_connection_age_seconds": 0.2, "grpc_max_connection_age_grace_seconds": 10.0}

    async def check(address: str) -> None:
        async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(_WAIT_SECONDS):
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert (await stub.ServerLive(pb.ServerLiveRequest())).live
            while (state := channel.get_state()) is not grpc.ChannelConnectivity.IDLE:
                await channel.wait_for_state_change(state)
            assert (await stub.ServerLive(pb.ServerLiveRequest())).live

    with live_server(models, **old) as running:
        asyncio.run(check(running.grpc_address))
