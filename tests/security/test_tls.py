"""TLS on both ports: nothing in the clear, clients with a certificate where one is asked for, and new
certificates without a restart."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from click.testing import CliRunner
from support.certificates import Authority
from support.live_server import LiveServer, live_server
from support.waiting import until

from nextchar.client import Client
from nextchar.entrypoints.commands.healthcheck import healthcheck
from nextchar.entrypoints.exposure_warning import is_loopback, warn_if_exposed
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_options import tls_files
from nextchar.errors import SettingsInvalid
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs
from nextchar.security import tls
from nextchar.security.tls import TlsFiles, make_context

SCORE = {"model": "tiny", "input": ["abc"]}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def _checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_CHECK_SECONDS", 0.02)


@pytest.fixture
def secure(models: Path, authority: Authority) -> Iterator[LiveServer]:
    certificate, key = authority.sign("server")
    with live_server(models, tls_certificate_file=certificate, tls_key_file=key) as server:
        yield server


def rest_score(server: LiveServer, authority: Authority, client: tuple[Path, Path] | None = None) -> int:
    context = ssl.create_default_context(cafile=authority.certificate)
    if client is not None:
        context.load_cert_chain(*client)
    url = server.url.replace("http:", "https:") + "/v1/score"
    answer = httpx.post(url, json=SCORE, verify=context)
    assert answer.headers["strict-transport-security"]
    return answer.status_code


def is_trusted(server: LiveServer, authority: Authority, client: tuple[Path, Path] | None = None) -> bool:
    """Returns whether a handshake succeeds."""
    try:
        return rest_score(server, authority, client) == 200
    except httpx.TransportError:
        return False


def grpc_score(server: LiveServer, authority: Authority, client: tuple[Path, Path] | None = None) -> int:
    certificate, key = (path.read_bytes() for path in client) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key, certificate)
    with grpc.secure_channel(server.grpc_address, credentials) as channel:
        return len(stubs.NextcharStub(channel).Score(pb.ScoreRequest(**SCORE), timeout=20).data)


def test_both_ports_speak_tls_and_nothing_else(secure: LiveServer, authority: Authority) -> None:
    assert rest_score(secure, authority) == 200
    assert grpc_score(secure, authority) == 1
    with pytest.raises(httpx.TransportError):
        httpx.get(secure.url + "/livez")
    with grpc.insecure_channel(secure.grpc_address) as channel, pytest.raises(grpc.RpcError):
        stubs.NextcharStub(channel).Score(pb.ScoreRequest(**SCORE), timeout=5)


def test_a_new_certificate_is_used_without_a_restart(
    secure: LiveServer, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    certificate, key = other.sign("server")
    (tmp_path / "server.key").write_bytes(key.read_bytes())  # for a moment they do not fit together
    assert rest_score(secure, authority) == 200
    assert grpc_score(secure, authority) == 1
    (tmp_path / "server.crt").write_bytes(certificate.read_bytes())
    until(lambda: is_trusted(secure, other))
    assert grpc_score(secure, other) == 1
    with pytest.raises(httpx.ConnectError):
        rest_score(secure, authority)


def test_where_clients_need_a_certificate_only_those_with_one_are_served(
    models: Path, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.sign("server")
    clients = Authority(tmp_path / "clients")
    good, bad = clients.sign("good"), authority.sign("bad")
    roots = tmp_path / "roots.crt"
    roots.write_bytes(clients.certificate.read_bytes())
    files = {"tls_certificate_file": certificate, "tls_key_file": key, "tls_client_ca_file": roots}
    with live_server(models, **files) as server:
        assert rest_score(server, authority, good) == 200
        assert grpc_score(server, authority, good) == 1
        for client in (None, bad):
            with pytest.raises(httpx.TransportError):
                rest_score(server, authority, client)
            with pytest.raises(grpc.RpcError):
                grpc_score(server, authority, client)
        roots.write_bytes(authority.certificate.read_bytes())  # from here on, others are trusted
        until(lambda: is_trusted(server, authority, bad))
        assert grpc_score(server, authority, bad) == 1
        with pytest.raises(httpx.TransportError):
            rest_score(server, authority, good)


@pytest.mark.parametrize("named_by", [str, Path])
def test_our_client_is_given_its_files_as_texts_or_as_paths(
    models: Path, authority: Authority, named_by: type[str] | type[Path]
) -> None:
    certificate, key = authority.sign("server")
    roots = authority.certificate
    chain, own_key = authority.sign("client")
    files = {"ca_file": named_by(roots), "certificate": (named_by(chain), named_by(own_key))}
    settings = {"tls_certificate_file": certificate, "tls_key_file": key, "tls_client_ca_file": roots}
    with live_server(models, **settings) as server:
        for url in (server.url.replace("http:", "https:"), f"grpcs://{server.grpc_address}"):
            with Client(url, **files) as client:
                assert client.score(["abc"], model="tiny").usage.prompt_tokens == 3


def test_files_that_are_no_certificate_are_one_clear_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("no certificate")
    with pytest.raises(SettingsInvalid, match="cannot use"):
        make_context(TlsFiles(wrong, wrong))
    with pytest.raises(SettingsInvalid, match=r"tls_certificate_file: cannot read .*No such file"):
        make_context(TlsFiles(tmp_path / "none", wrong))
    with pytest.raises(SettingsInvalid, match="together"):
        tls_files(Settings(tls_key_file=wrong))


@pytest.mark.parametrize(
    ("host", "keys", "told"),
    [
        ("127.0.0.1", False, ""),
        ("0.0.0.0", False, "ANYBODY"),
        ("0.0.0.0", True, "unencrypted"),
        ("::", False, "ANYBODY"),
    ],
)
def test_a_server_that_others_can_reach_says_what_stands_open(
    host: str, keys: bool, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(host=host, api_keys_file=Path("keys") if keys else None)
    with caplog.at_level(logging.WARNING):
        warn_if_exposed(settings)
    assert told in caplog.text
    assert bool(told) == bool(caplog.records)


def test_which_addresses_are_this_machines_own() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))


@pytest.mark.parametrize("mutual", [False, True])
def test_the_health_check_speaks_tls_as_the_environment_says(
    models: Path, authority: Authority, mutual: bool
) -> None:
    certificate, key = authority.sign("server")
    files = {"tls_certificate_file": certificate, "tls_key_file": key}
    files |= {"tls_client_ca_file": authority.certificate} if mutual else {}
    with live_server(models, **files) as server:
        environment: dict[str, str | None] = {f"NEXTCHAR_{k.upper()}": str(v) for k, v in files.items()}
        environment["NEXTCHAR_HTTP_PORT"] = str(server.app.http_port)
        well = CliRunner().invoke(healthcheck, [], env=environment)
        assert (well.exit_code, well.output) == (0, "")
        assert CliRunner().invoke(healthcheck, ["--port", str(server.app.http_port)]).exit_code == 1
        assert (
            "cannot be used with TLS" in CliRunner().invoke(healthcheck, ["--grpc"], env=environment).stderr
        )
