"""Runs the gRPC server: its methods, interceptors, limits, health and reflection."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from nextchar.rpc.auth_interceptor import AuthInterceptor
from nextchar.rpc.call_count_interceptor import CallCountInterceptor
from nextchar.rpc.call_limit_interceptor import CallLimitInterceptor
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.message_interceptor import MessageInterceptor
from nextchar.rpc.methods import INFERENCE, NEXTCHAR, SESSIONS, rpc_methods, rpc_needs
from nextchar.rpc.options import MOST, GrpcOptions
from nextchar.rpc.standard_services import HealthService, ReflectionService
from nextchar.schemas.item_limits import item_limits
from nextchar.security.api_keys import KeyRing
from nextchar.security.tls import GrpcTls
from nextchar.service.service import Service
from nextchar.telemetry.request_context import Route

NAMES = tuple(service.full_name for service in (NEXTCHAR, SESSIONS, INFERENCE))
# SERVING for as long as the process answers, ready or not: the name that Kubernetes' liveness probes use.
LIVENESS = "liveness"
_WATCH_SECONDS = 0.25
# A message over the limit is read up to this many times as large, to be refused with details and counted; of
# a larger one gRPC reads nothing, and ends its call by itself.
_OVERSIZE = 4


class RpcServer:
    """Serves nextchar.v1 and the Open Inference Protocol, with health and reflection."""

    def __init__(
        self,
        service: Service,
        *,
        keys: KeyRing | None,
        options: GrpcOptions,
        tls: GrpcTls | None = None,
        address: str,
        max_message_bytes: int,
        request_timeout_seconds: float,
        lenient_fields: bool = False,
    ) -> None:
        self._service = service
        self._health = HealthService()
        handler = RpcHandler(
            service.metrics,
            item_limits(service.limits_report.limits().request),
            request_timeout_seconds=request_timeout_seconds,
            lenient_fields=lenient_fields,
        )
        self.methods = rpc_methods(service, handler)
        needs = rpc_needs(self.methods)
        self._server = grpc.aio.server(
            interceptors=(
                CallCountInterceptor(service.metrics, self._routes(), needs),
                CallLimitInterceptor(options.max_calls, needs, service.served_models.seconds_left),
                AuthInterceptor(keys, needs),
                MessageInterceptor(() if lenient_fields else NAMES, max_message_bytes),
            ),
            options=(
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a silent share
                ("grpc.max_receive_message_length", min(_OVERSIZE * max_message_bytes, MOST)),
                # It counts calls that are answered until they are forgotten, and so would refuse calls of
                # clients that keep the limit.
                ("grpc.http.overload_protection", 0),
                ("grpc.server_max_unrequested_time_in_server", MOST),  # a call has a timeout of its own
                *options.channel_arguments(),
            ),
        )
        for name in NAMES:
            handlers = {m.name: handler.endpoint(m) for m in self.methods if m.service.full_name == name}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
            self._server.add_registered_method_handlers(name, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if options.reflection:
            names = (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            described = ReflectionService(names, handler)
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(described, self._server)
        if tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, tls.credentials)
        self._following: asyncio.Task[None] | None = None

    def _routes(self) -> dict[str, Route]:
        """Returns the label `route` of each path in metrics."""
        return {method.path: method.label or "info" for method in self.methods}

    async def start(self) -> asyncio.Task[None]:
        """Starts the server and its health service; returns the task that keeps the health status."""
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self._set_health(serving=self._service.lifecycle.ready)
        await self._server.start()
        self._following = asyncio.create_task(self._follow())
        return self._following

    async def stop(self, grace_seconds: float) -> None:
        """Refuses new calls at once; running ones have `grace_seconds`."""
        await self._set_health(serving=False)
        await self._server.stop(grace_seconds)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        """Keeps the health status equal to the readiness of the service."""
        known: bool | None = None
        try:
            while True:
                if self._service.lifecycle.ready is not known:
                    known = self._service.lifecycle.ready
                    await self._set_health(serving=known)
                await asyncio.sleep(_WATCH_SECONDS)
        except Exception:  # clients that watch would take the last status for the present one
            await self._set_health(serving=False)
            raise

    async def _set_health(self, *, serving: bool) -> None:
        """Reports one status for the server and for each service."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *NAMES):
            await self._health.set(name, status)
