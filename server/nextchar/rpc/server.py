"""The gRPC server around the door: limits, keepalive, health, reflection."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nextchar.pb import inference_pb2, inference_pb2_grpc, nextchar_pb2, nextchar_pb2_grpc
from nextchar.rpc.auth_interceptor import AuthInterceptor
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.message_interceptor import MessageInterceptor
from nextchar.rpc.oip_servicer import OipServicer
from nextchar.rpc.options import GrpcOptions
from nextchar.rpc.servicer import NextcharServicer
from nextchar.rpc.sessions_servicer import SessionsServicer
from nextchar.security.api_keys import KeyRing
from nextchar.security.tls import GrpcTls
from nextchar.service.service import Service

NAMES = tuple(
    service.full_name
    for file in (nextchar_pb2.DESCRIPTOR, inference_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
)
# Serving for as long as the process answers, ready or not: Kubernetes' probes ask it by this name.
LIVENESS = "liveness"
_WATCH_SECONDS = 0.25


class RpcServer:
    """A server of nextchar.v1 and the Open Inference Protocol with health Check and Watch, and reflection."""

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
        self._server = grpc.aio.server(
            interceptors=(AuthInterceptor(keys), MessageInterceptor(strict=() if lenient_fields else NAMES)),
            options=(
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a silent share
                ("grpc.max_receive_message_length", max_message_bytes),
                *options.channel_arguments(),
            ),
        )
        calls = RpcHandler(
            service.metrics, request_timeout_seconds=request_timeout_seconds, lenient_fields=lenient_fields
        )
        sessions = SessionsServicer(service.sessions, calls, service.metrics)
        nextchar_pb2_grpc.add_NextcharServicer_to_server(NextcharServicer(service, calls), self._server)  # type: ignore[no-untyped-call]
        nextchar_pb2_grpc.add_SessionsServicer_to_server(sessions, self._server)  # type: ignore[no-untyped-call]
        oip = OipServicer(service, calls, service.metrics)
        inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(oip, self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        if tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, tls.credentials)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> asyncio.Task[None]:
        """Returns when calls are accepted, with the task that keeps the health status."""
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        self._following = asyncio.create_task(self._follow())
        return self._following

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls at once; running ones have `grace_seconds`."""
        await self._tell(serving=False)
        await self._server.stop(grace_seconds)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        """Keep the health status as the service is, for those who watch it."""
        told: bool | None = None
        try:
            while True:
                if self._service.ready is not told:
                    told = self._service.ready
                    await self._tell(serving=told)
                await asyncio.sleep(_WATCH_SECONDS)
        except Exception:  # whoever watches would take the last status for the present one
            await self._tell(serving=False)
            raise

    async def _tell(self, *, serving: bool) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *NAMES):
            await self._health.set(name, status)
