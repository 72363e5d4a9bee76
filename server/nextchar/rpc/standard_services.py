"""Answers grpc.health.v1 and gRPC reflection; their errors say why, as those of our own methods do."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection

from nextchar.errors import ServiceNotFound
from nextchar.rpc.errors import abort
from nextchar.rpc.handler import RpcHandler, note_success

_MAX_SHOWN = 100


class HealthService(health.aio.HealthServicer):  # type: ignore[misc]
    """Reports the health of the server and its services; adds List to gRPC's own, and details to errors."""

    def __init__(self) -> None:
        super().__init__()
        self._statuses: dict[str, Any] = {}

    async def set(self, service: str, status: Any) -> None:
        """Sets the status of a service, and notifies watchers."""
        self._statuses[service] = status
        await super().set(service, status)

    async def Check(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Returns the status of a service; ends the call as NOT_FOUND where there is none."""
        status = self._statuses.get(request.service)
        if status is None:
            known = ", ".join(sorted(name for name in self._statuses if name))
            shown = request.service[:_MAX_SHOWN]
            await abort(context, ServiceNotFound(f"there is no service {shown!r}; the services are: {known}"))
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, _request: Any, _context: grpc.aio.ServicerContext) -> Any:
        """Returns the status of every service; that of the whole server has the empty name."""
        found = {name: health_pb2.HealthCheckResponse(status=each) for name, each in self._statuses.items()}
        return health_pb2.HealthListResponse(statuses=found)


class ReflectionService(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    """Describes the services to tools."""

    def __init__(self, names: Sequence[str], handler: RpcHandler) -> None:
        super().__init__(names)
        self._handler = handler

    async def ServerReflectionInfo(
        self, messages: AsyncIterator[Any], context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[Any]:
        """Yields the answers to questions about files and symbols."""
        found = super().ServerReflectionInfo(messages, context)
        async with self._handler.ended_by_errors(context), aclosing(found) as answers:
            async for answer in answers:
                yield answer
            note_success()
