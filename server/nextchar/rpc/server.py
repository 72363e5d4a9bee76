"""Runs the gRPC server: its methods, interceptors, limits, health and reflection."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nextchar.rpc.auth_interceptor import AuthInterceptor
from nextchar.rpc.call_limit_interceptor import CallLimitInterceptor, Refuse
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.message_interceptor import MessageInterceptor
from nextchar.rpc.methods import INFERENCE, NEXTCHAR, SESSIONS, rpc_methods, rpc_needs
from nextchar.rpc.options import MOST, GrpcOptions
from nextchar.schemas.item_limits import item_limits
from nextchar.security.api_keys import KeyRing
from nextchar.security.tls import GrpcTls
from nextchar.service.service import Service

NAMES = tuple(service.full_name for service in (NEXTCHAR, SESSIONS, INFERENCE))
# SERVING for as long as the process answers, ready or not: the name that Kubernetes' liveness probes use.
LIVENESS = "liveness"
_WATCH_SECONDS = 0.25


class RpcServer:
    """Serves nextchar.v1 and the Open Inference Protocol, with health Check and Watch, and reflection."""

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
        self._health = health.aio.HealthServicer()
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
                CallLimitInterceptor(
                    options.max_calls, needs, self._refusal(handler), service.served_models.seconds_left
                ),
                AuthInterceptor(keys, needs),
                MessageInterceptor(strict=() if lenient_fields else NAMES),
            ),
            options=(
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a silent share
                ("grpc.max_receive_message_length", min(max_message_bytes, MOST)),
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
        names = (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        if tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, tls.credentials)
        self._following: asyncio.Task[None] | None = None

    def _refusal(self, handler: RpcHandler) -> Refuse:
        """Makes what refuses a call to a path, observed as calls to it are."""
        labels = {method.path: method.label for method in self.methods}
        return lambda path, error: handler.refusal(labels.get(path), error)

    async def start(self) -> asyncio.Task[None]:
        """Starts the server and its health service; returns the task that keeps the health status."""
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
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
