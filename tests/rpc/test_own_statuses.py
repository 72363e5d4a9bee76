"""What gRPC or its packages would end in their own words ends with our details and without a traceback."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from support.live_server import Keyed, LiveServer, keyed_server, live_server
from support.rpc_answers import details

from nextchar.rpc.auth_interceptor import AuthInterceptor
from nextchar.rpc.server import NAMES
from nextchar.security.access import ANY, Need
from nextchar.security.principal import Scope

MAX_BYTES = 50_000
SERVING = health_pb2.HealthCheckResponse.SERVING
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
DAMAGED = b"\n\x01\x10T{"

Call = Callable[[grpc.Channel, bytes], object]


def unary(path: str) -> Call:
    return lambda channel, data: channel.unary_unary(path)(data, timeout=30)


def stream(path: str) -> Call:
    return lambda channel, data: list(channel.stream_stream(path)(iter([data]), timeout=30))


CALLS = {
    "unary": unary("/nextchar.v1.Nextchar/Score"),
    "answers in parts": lambda c, data: list(c.unary_stream("/nextchar.v1.Nextchar/Complete")(data)),
    "scores": stream("/nextchar.v1.Nextchar/ScoreStream"),
    "conversation": stream("/nextchar.v1.Sessions/Converse"),
    "tensors": unary("/inference.GRPCInferenceService/ModelInfer"),
    "a stream of tensors": stream("/inference.GRPCInferenceService/ModelStreamInfer"),
    "health": unary("/grpc.health.v1.Health/Check"),
    "watched health": lambda c, data: list(c.unary_stream("/grpc.health.v1.Health/Watch")(data)),
    "listed health": unary("/grpc.health.v1.Health/List"),
    "reflection": stream(REFLECTION),
}


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_body_bytes=MAX_BYTES) as running:
        yield running


@pytest.fixture(scope="module")
def channel(small: LiveServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(small.grpc_address) as made:
        yield made


@pytest.fixture(autouse=True)
def _without_a_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    code: grpc.StatusCode = caught.value.code()
    return code, details(caught.value)[0]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("num_bytes", [MAX_BYTES + 1, 4 * MAX_BYTES])
def test_a_message_over_the_limit_says_so_in_its_details(
    channel: grpc.Channel, name: str, num_bytes: int
) -> None:
    found = refused(lambda: CALLS[name](channel, bytes(num_bytes)))
    assert found == (grpc.StatusCode.RESOURCE_EXHAUSTED, "input_too_large")


@pytest.mark.parametrize("name", CALLS)
def test_a_message_that_is_no_protobuf_says_so_in_its_details(channel: grpc.Channel, name: str) -> None:
    found = refused(lambda: CALLS[name](channel, DAMAGED))
    assert found == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_value")


def test_a_message_far_over_the_limit_is_not_read(channel: grpc.Channel) -> None:
    for name in ("unary", "scores"):
        with pytest.raises(grpc.RpcError) as caught:
            CALLS[name](channel, bytes(4 * MAX_BYTES + 1))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_at_the_limit_is_read(channel: grpc.Channel) -> None:
    tag = b"\x0a\xcc\x86\x03"  # the first field, of 49,996 bytes
    found = refused(lambda: CALLS["health"](channel, tag + b"a" * (MAX_BYTES - len(tag))))
    assert found == (grpc.StatusCode.NOT_FOUND, "service_not_found")


def test_health_knows_the_server_its_services_and_no_other(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    listed = stub.List(health_pb2.HealthListRequest(), timeout=30).statuses
    assert {name: each.status for name, each in listed.items()} == dict.fromkeys(
        ("", "liveness", *NAMES), SERVING
    )
    found = refused(lambda: stub.Check(health_pb2.HealthCheckRequest(service="none"), timeout=30))
    assert found == (grpc.StatusCode.NOT_FOUND, "service_not_found")
    # As the protocol has it: a service that is not known yet may be watched.
    watched = next(iter(stub.Watch(health_pb2.HealthCheckRequest(service="none"))))
    assert watched.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture(scope="module")
def keyed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_server(models, tmp_path_factory.mktemp("keys"), [Scope.METRICS]) as made:
        yield made


@pytest.fixture(params=["without a key", "with a key"])
def doors(request: pytest.FixtureRequest) -> Keyed:
    if request.param == "with a key":
        found: Keyed = request.getfixturevalue("keyed")
        return found
    return request.getfixturevalue("small"), ""


@pytest.mark.parametrize(
    "path", ["/nextchar.v1.Nextchar/None", "/none.None/None", "/grpc.health.v1.Health/None"]
)
def test_a_method_that_does_not_exist_says_so_in_its_details(doors: Keyed, path: str) -> None:
    server, key = doors
    metadata = (("x-api-key", key),) if key else ()
    with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path)(b"", timeout=30, metadata=metadata)
    assert (caught.value.code(), details(caught.value)[0]) == (grpc.StatusCode.UNIMPLEMENTED, "not_found")
    assert caught.value.details() == f"there is no method {path!r}; the proto files list the methods"


def test_a_method_that_does_not_exist_needs_a_key_too(keyed: Keyed) -> None:
    with grpc.insecure_channel(keyed[0].grpc_address) as channel:
        found = refused(lambda: unary("/none.None/None")(channel, b""))
    assert found == (grpc.StatusCode.UNAUTHENTICATED, "missing_api_key")


def test_a_method_in_no_table_is_not_run() -> None:
    """Also where a service registers one: nobody has said what it needs."""
    ran = grpc.unary_unary_rpc_method_handler(lambda *_: b"")

    async def found(needs: dict[str, Need]) -> object:
        async def registered(_: object) -> grpc.RpcMethodHandler:
            return ran

        called = _Details("/a.B/C", ())
        return await AuthInterceptor(None, needs).intercept_service(registered, called)

    assert asyncio.run(found({"/a.B/C": ANY})) is ran
    assert asyncio.run(found({})) is not ran


class _Details(NamedTuple):
    method: str
    invocation_metadata: tuple[()]


def test_what_fails_unexpectedly_in_reflection_is_logged_and_has_details(
    channel: grpc.Channel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> AsyncGenerator[object]:
        raise RuntimeError("a bug")
        yield

    monkeypatch.setattr(reflection.aio.ReflectionServicer, "ServerReflectionInfo", failing)
    found = refused(lambda: CALLS["reflection"](channel, b""))
    assert found == (grpc.StatusCode.INTERNAL, "server_error")
    assert "a bug" in caplog.text
    caplog.clear()


def test_reflection_has_a_switch(models: Path) -> None:
    with (
        live_server(models, grpc_reflection=False) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        found = refused(lambda: CALLS["reflection"](channel, b""))
    assert found == (grpc.StatusCode.UNIMPLEMENTED, "not_found")
