"""`nextchar healthcheck`: asks a server whether it is ready, as a container's health check does.

It runs every few seconds beside the server, so it imports as little as it can: gRPC only for `--grpc`.
"""

import http.client
import os
import ssl
import sys

import click

_READY, _LIVE = "/v2/health/ready", "/v2/health/live"


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the server is.")
@click.option("--port", type=int, help="Its port; by default NEXTCHAR_HTTP_PORT or NEXTCHAR_GRPC_PORT.")
@click.option("--grpc", "over_grpc", is_flag=True, help="Ask grpc.health.v1.Health, not REST.")
@click.option("--live", is_flag=True, help="Ask whether the process answers, not whether it takes work.")
@click.option("--timeout-seconds", default=3.0, show_default=True, help="How long to wait for the answer.")
def healthcheck(host: str, port: int | None, over_grpc: bool, live: bool, timeout_seconds: float) -> None:
    """Exit with 0 if the server is ready, with 1 and a line that says why if not."""
    try:
        if over_grpc:
            fault = _ask_grpc(f"{host}:{port or _port('GRPC', 8001)}", live, timeout_seconds)
        else:
            fault = _ask_http(host, port or _port("HTTP", 8000), _LIVE if live else _READY, timeout_seconds)
    except OSError as error:
        fault = f"no answer: {error}"
    if fault:
        click.echo(fault, err=True)
        sys.exit(1)


def _port(door: str, default: int) -> int:
    name = f"NEXTCHAR_{door}_PORT"
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise click.ClickException(f"{name}: {value!r} is not a port")
    return int(value)


def _ask_http(host: str, port: int, path: str, timeout_seconds: float) -> str:
    """What is wrong; an empty string if nothing is. Raises OSError where nobody answers."""
    connection = _connection(host, port, timeout_seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1000).decode(errors="replace")
    except http.client.HTTPException as error:
        return f"not HTTP: {type(error).__name__}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{path}: status {answer.status} {body}"


def _connection(host: str, port: int, timeout_seconds: float) -> http.client.HTTPConnection:
    """To the server that this environment sets up: by TLS if it speaks that."""
    certificate = os.environ.get("NEXTCHAR_TLS_CERTIFICATE_FILE")
    if not certificate:
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the loopback is in no certificate
    if os.environ.get("NEXTCHAR_TLS_CLIENT_CA_FILE"):
        context.load_cert_chain(certificate, os.environ.get("NEXTCHAR_TLS_KEY_FILE"))
    return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)


def _ask_grpc(address: str, live: bool, timeout_seconds: float) -> str:
    """As `_ask_http`."""
    if os.environ.get("NEXTCHAR_TLS_CERTIFICATE_FILE"):
        raise click.ClickException("--grpc does not speak TLS: ask without it")
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
