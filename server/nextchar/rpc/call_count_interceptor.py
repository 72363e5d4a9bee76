"""Counts every gRPC call once it has ended, whatever has ended it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import grpc

from nextchar.security.access import OPEN, Need
from nextchar.telemetry.calls import Call, begin_call
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import Route

Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class CallCountInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Counts what no request of a call has counted: refusals, and answers about the server.

    It is the first interceptor, so that no refusal gets past it. Calls that need no key, as health, are the
    probes of machines and are not counted.
    """

    def __init__(self, metrics: Metrics, routes: Mapping[str, Route], needs: Mapping[str, Need]) -> None:
        """`routes` are the values of the label `route` by path, `needs` the scopes."""
        self._metrics, self._routes, self._needs = metrics, routes, needs

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Returns the handler, which finds its call in this task's context."""
        need = self._needs.get(details.method)
        if need != OPEN:
            route: Route = self._routes.get(details.method, "other" if need is None else "info")
            task = asyncio.current_task()
            assert task is not None  # gRPC runs each call in a task, from here to its end
            task.add_done_callback(partial(self._ended, begin_call(), route, time.monotonic()))
        return await continuation(details)

    def _ended(self, call: Call, route: Route, started: float, _task: object) -> None:
        self._metrics.count_call(call, route, "grpc", started)
