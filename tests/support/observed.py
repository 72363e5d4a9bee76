"""Watches the contexts that requests are given by a server in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.live_server import LiveServer

from nextchar.telemetry.request_context import RequestContext


class _Observer:
    def __init__(self) -> None:
        self.as_begun: list[tuple[float, int, str]] = []

    def begun(self, ctx: RequestContext) -> None:
        self.as_begun.append((ctx.deadline - ctx.started, ctx.priority, ctx.request_id))

    def ended(self, ctx: RequestContext, outcome: str, error: BaseException | None) -> None:
        """Only beginnings count."""


@contextmanager
def observed(server: LiveServer) -> Iterator[list[tuple[float, int, str]]]:
    """The seconds, priority and id of each request, as its context had them before any work began."""
    observer = _Observer()
    server.app.service.metrics.observers.append(observer)
    try:
        yield observer.as_begun
    finally:
        server.app.service.metrics.observers.remove(observer)
