"""Counts every HTTP request once it has ended, whatever has ended it."""

import time
from collections.abc import Callable, Mapping
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextchar.rest.http.path_table import PathTable
from nextchar.security.access import OPEN
from nextchar.telemetry.calls import begin_call
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import Route

_BY_STATUS = {408: "timeout", 429: "rejected", 499: "cancelled", 503: "rejected", 504: "timeout"}
RouteOrOpen = Route | Literal["open"]


class CallCountMiddleware:
    """Counts what no observed request has counted: refusals, and answers about the server.

    It wraps all other middleware but that of CORS. Paths that need no key, as health and the page, are not
    counted. `routes` are the values of the label `route` by path, or OPEN.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Mapping[str, RouteOrOpen]) -> None:
        self._app, self._metrics = app, metrics
        self._routes = PathTable(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._routes.find(scope["path"]) if scope["type"] == "http" else OPEN
        if found == OPEN:
            await self._app(scope, receive, send)
            return
        call, started = begin_call(), time.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and not call.num_requests:
                call.outcome = outcome_of_status(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.count_call(call, found or "other", "rest", started)


def outcome_of_status(status: int) -> str:
    """Returns the outcome label of a response."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "success" if status < 400 else "invalid" if status < 500 else "error"


def counting_refusals(metrics: Metrics) -> Callable[[int], None]:
    """Makes what a connection calls with the status of a refusal that is before any request."""
    return lambda status: metrics.count("other", "rest", outcome_of_status(status))
