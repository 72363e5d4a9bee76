"""Implements `nextchar healthcheck`, the health check of a container.

It runs every few seconds beside the server, so it imports as little as it can: gRPC only for `--grpc`.
"""

import http.client
import os
import ssl
import sys

import click

from nextchar.rest.http.addresses import authority, bare, reachable

_READY, _LIVE = "/v2/health/ready", "/v2/health/live"


@click.command
@click.option("--host", help="The address of the server; by default NEXTCHAR_HOST (127.0.0.1).")
@click.option(
    "--port", type=int, help="The port; by default NEXTCHAR_HTTP_PORT (8000), or NEXTCHAR_GRPC_PORT (8001)."
)
@click.option("--grpc", "over_grpc", is_flag=True, help="Use grpc.health.v1.Health instead of REST.")
@click.option("--live", is_flag=True, help="Check that the process answers, not that it is ready.")
@click.option("--timeout-seconds", default=3.0, show_default=True, help="The timeout of the check.")
def healthcheck(
    host: str | None, port: int | None, over_grpc: bool, live: bool, timeout_seconds: float
) -> None:
    """Check that a server is ready: exit with status 0, or with 1 and the reason."""
    host = reachable(bare(host or os.environ.get("NEXTCHAR_HOST") or "127.0.0.1"))
    try:
        if over_grpc:
            fault = _check_grpc(authority(host, port or _port("GRPC", 8001)), live, timeout_seconds)
        else:
            fault = _check_http(host, port or _port("HTTP", 8000), _LIVE if live else _READY, timeout_seconds)
    except OSError as error:
        fault = f"no answer: {error}"
    if fault:
        click.echo(fault, err=True)
        sys.exit(1)


def _port(protocol: str, default: int) -> int:
    name = f"NEXTCHAR_{protocol}_PORT"
    value = os.environ.get(name) or str(default)  # an empty variable is as if it were not set
    if not value.isdecimal():
        raise click.ClickException(f"{name} is {value!r}; it must be a port number")
    return int(value)


def _check_http(host: str, port: int, path: str, timeout_seconds: float) -> str:
    """Returns what is wrong, or an empty string; raises OSError if the server does not answer."""
    connection = _connection(host, port, timeout_seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1000).decode(errors="replace")
    except http.client.HTTPException as error:
        return f"the answer is not HTTP: {type(error).__name__}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{path}: status {answer.status} {body}"


def _connection(host: str, port: int, timeout_seconds: float) -> http.client.HTTPConnection:
    """Opens a connection to the server, with TLS if this environment sets a certificate for it."""
    certificate = os.environ.get("NEXTCHAR_TLS_CERTIFICATE_FILE")
    if not certificate:
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # no certificate names the loopback address
    if os.environ.get("NEXTCHAR_TLS_CLIENT_CA_FILE"):
        context.load_cert_chain(certificate, os.environ.get("NEXTCHAR_TLS_KEY_FILE"))
    return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)


def _check_grpc(address: str, live: bool, timeout_seconds: float) -> str:
    """Returns what is wrong, or an empty string."""
    if os.environ.get("NEXTCHAR_TLS_CERTIFICATE_FILE"):
        raise click.ClickException(
            "--grpc cannot be used with TLS (NEXTCHAR_TLS_CERTIFICATE_FILE is set): check over REST"
        )
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    request = health_pb2.HealthCheckRequest(service="liveness" if live else "")
    try:
        with grpc.insecure_channel(address) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)
    except grpc.RpcError as error:
        return f"no answer: {error.code().name}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if status == "SERVING" else f"gRPC health: {status}"
