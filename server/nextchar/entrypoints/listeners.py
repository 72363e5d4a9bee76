"""Builds what listens: the servers of REST, gRPC and metrics, with their certificates.

Their frameworks are imported when they are built: they load while the models open (serve_command.py).
"""

import socket
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_options import connection_limits, grpc_options, tls_files
from nextchar.entrypoints.supervisor import Supervisor
from nextchar.errors import CannotListen
from nextchar.security.api_keys import KeyRing
from nextchar.service.service import Service
from nextchar.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from nextchar.rest.http.server import HttpServer
    from nextchar.rest.http.strangers import StrangerCheck
    from nextchar.rpc.server import RpcServer
    from nextchar.security.tls import HttpTls


def http_tls(settings: Settings, supervisor: Supervisor) -> "HttpTls | None":
    """Returns the certificate of REST, reloaded when its files change; None if TLS is off."""
    files = tls_files(settings)
    if files is None:
        return None
    from nextchar.security.tls import HttpTls

    tls = HttpTls(files)
    supervisor.start("certificate", tls.follow())
    return tls


def http_server(
    service: Service, settings: Settings, keys: KeyRing | None, *, tls: "HttpTls | None", grpc_port: int
) -> "HttpServer":
    """Builds the server of REST and its page; it listens, and answers once it is started."""
    from nextchar.rest.app import RestApp
    from nextchar.rest.http.call_counting import CallCountMiddleware, counting_refusals
    from nextchar.rest.http.server import HttpServer
    from nextchar.rest.middleware import GuardMiddleware, with_cors
    from nextchar.rest.playground import page_routes

    rest = RestApp(
        service,
        max_body_bytes=settings.max_body_bytes,
        request_timeout_seconds=settings.request_timeout_seconds,
        receive_timeout_seconds=settings.receive_timeout_seconds,
        lenient_fields=settings.lenient_fields,
        more_routes=page_routes(grpc_port) if settings.playground else (),
    )
    guard = GuardMiddleware(
        rest.app,
        no_route=rest.no_route,
        keys=keys,
        needs=rest.needs,
        tls=tls is not None,
        strangers=_strangers(settings) if keys is None else None,
    )
    return HttpServer(
        with_cors(CallCountMiddleware(guard, service.metrics, rest.labels), settings.cors_origins or ""),
        on_refused=counting_refusals(service.metrics),
        limits=connection_limits(settings),
        tls=tls,
        host=settings.host,
        port=settings.http_port,
    )


def _strangers(settings: Settings) -> "StrangerCheck":
    from nextchar.rest.http.strangers import StrangerCheck

    return StrangerCheck(
        origins=settings.cors_origins or "",
        hosts=f"{settings.host},{socket.gethostname()},{settings.allowed_hosts or ''}",
        checks_host=settings.tls_certificate_file is None,
    )


def rpc_server(service: Service, settings: Settings, keys: KeyRing | None) -> "RpcServer":
    """Builds the server of gRPC.

    Raises:
        CannotListen: the port is in use.
    """
    from nextchar.rest.http.addresses import authority, listen
    from nextchar.rpc.server import RpcServer
    from nextchar.security.tls import GrpcTls

    address, files = authority(settings.host, settings.grpc_port), tls_files(settings)
    listen(settings.host, settings.grpc_port).close()  # gRPC's own error does not name the cause
    try:
        return RpcServer(
            service,
            keys=keys,
            options=grpc_options(settings),
            tls=None if files is None else GrpcTls(files),
            address=address,
            max_message_bytes=settings.max_body_bytes,
            request_timeout_seconds=settings.request_timeout_seconds,
            lenient_fields=settings.lenient_fields,
        )
    except RuntimeError as error:
        raise CannotListen(f"gRPC cannot listen on {address}: the port is in use") from error


def metrics_listener(metrics: Metrics, settings: Settings) -> AbstractContextManager[int]:
    """Serves metrics inside the context, which gives the port."""
    from nextchar.rest.http.metrics_server import metrics_server

    return metrics_server(
        metrics.registry,
        host=settings.host,
        port=settings.metrics_port,
        limits=connection_limits(settings),
    )
