"""Addresses of IPv6: REST, gRPC, metrics, clients and the health check have them as those of IPv4."""

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.live_server import TLS, LiveServer, live_server
from support.replacing import replace_in

from nextchar.client import Client
from nextchar.entrypoints.commands.serve import _greeting
from nextchar.entrypoints.main import main
from nextchar.entrypoints.settings import Settings
from nextchar.errors import CannotListen
from nextchar.rest.http import addresses
from nextchar.rest.http.addresses import authority, listen, reachable
from nextchar.security.principal import CLIENT_ADDRESS, sharer

_SECONDS = 30


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture(scope="module", params=["::1", "[::1]", "::", "0:0:0:0:0:0:0:0"])
def six(request: pytest.FixtureRequest, models: Path) -> Iterator[LiveServer]:
    with live_server(models, host=request.param) as running:
        yield running


def hosts(server: LiveServer) -> list[str]:
    return ["::1"] if server.settings.host == "::1" else ["::1", "127.0.0.1"]


@needs_ipv6
def test_each_port_answers_at_each_of_its_addresses(six: LiveServer) -> None:
    app = six.app
    for host in hosts(six):
        for port, path in ((app.http_port, "/livez"), (app.metrics_port, "/metrics")):
            url = f"http://{authority(host, port)}{path}"
            assert httpx.get(url, timeout=_SECONDS, verify=TLS).status_code == 200
        with grpc.insecure_channel(authority(host, app.grpc_port)) as channel:
            asked = health_pb2.HealthCheckRequest()
            assert health_pb2_grpc.HealthStub(channel).Check(asked, timeout=_SECONDS).status == 1


@needs_ipv6
def test_an_address_of_ipv6_alone_is_not_one_of_ipv4(models: Path) -> None:
    with live_server(models, host="::1") as server, pytest.raises(httpx.ConnectError):
        server.get("/livez")


@needs_ipv6
def test_the_greeting_can_be_called(six: LiveServer) -> None:
    app, host = six.app, six.settings.host
    assert "[" not in host
    said = _greeting(six.settings, app)
    assert f"REST     http://[{host}]:{app.http_port} " in said
    assert f"gRPC     [{host}]:{app.grpc_port}\n" in said
    assert f"metrics  http://[{host}]:{app.metrics_port}/metrics\n" in said
    assert f"curl -s http://[{host}]:{app.http_port}/v1/score" in said


@needs_ipv6
def test_the_health_check_asks_the_address_of_the_server(
    six: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_HTTP_PORT", str(six.app.http_port))
    monkeypatch.setenv("NEXTCHAR_GRPC_PORT", str(six.app.grpc_port))
    for host in {six.settings.host, *hosts(six), "[::1]"}:
        for protocol in ([], ["--grpc"]):
            answer = CliRunner().invoke(main, ["healthcheck", "--host", host, *protocol])
            assert (answer.exit_code, answer.output) == (0, ""), (host, protocol)
    monkeypatch.setenv("NEXTCHAR_HOST", six.settings.host)
    assert CliRunner().invoke(main, ["healthcheck"]).exit_code == 0
    assert CliRunner().invoke(main, ["healthcheck", "--grpc"]).exit_code == 0


@needs_ipv6
def test_our_client_calls_both_apis(six: LiveServer) -> None:
    for url in (f"http://[::1]:{six.app.http_port}", f"grpc://[::1]:{six.app.grpc_port}"):
        with Client(url) as client:
            assert client.score(["hello"], model="tiny").data[0].num_chars == 5


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "::"])
def test_a_port_in_use_is_told_by_its_address(models: Path, host: str) -> None:
    with listen(host, 0) as taken:
        port = taken.getsockname()[1]
        for name in ("http_port", "grpc_port", "metrics_port"):
            settings = {"http_port": 0, "grpc_port": 0, "metrics_port": 0, name: port}
            with pytest.raises(CannotListen, match=rf"cannot listen on \[{host}\]:{port}: Address already"):
                _start(models, host, settings)


def _start(models: Path, host: str, ports: dict[str, int]) -> None:
    import asyncio

    from nextchar.entrypoints.app import running

    async def run() -> None:
        async with running(Settings(models=models, host=host, **ports)):
            raise AssertionError("it has started")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "reason"),
    [("2001:db8::1", "Cannot assign requested address"), ("no such host", "Name"), ("a" * 64 + ".b", "")],
)
def test_an_address_that_is_not_of_this_machine_is_told_so(host: str, reason: str) -> None:
    with pytest.raises(CannotListen) as caught:
        listen(host, 0)
    assert caught.value.message.startswith(f"cannot listen on {authority(host, 0)}: {reason}")


def test_all_addresses_are_those_of_ipv4_where_the_system_has_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: object) -> socket.socket:
        if options.get("family") == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return create(address, backlog=1)

    replace_in(monkeypatch, addresses, "socket", create_server=without_ipv6)
    with listen("::", 0) as listening:
        assert listening.getsockname()[0] == "0.0.0.0"
    with pytest.raises(CannotListen, match="Address family not supported"):
        listen("::1", 0)


@pytest.mark.parametrize(
    ("host", "known_as"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "::1"), ("a.example", "a.example")],
)
def test_a_server_of_all_addresses_is_reached_by_loopback(host: str, known_as: str) -> None:
    assert reachable(host) == known_as


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", "unix:"),
    ],
)
def test_all_addresses_of_a_host_take_one_turn(address: str, host: str) -> None:
    token = CLIENT_ADDRESS.set(address)
    try:
        assert sharer() == host
    finally:
        CLIENT_ADDRESS.reset(token)
