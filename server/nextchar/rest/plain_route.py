"""Routes whose handlers take the request and give the response, with nothing between.

FastAPI's own would solve dependencies, validate an answer and serialise it, for each request; what is needed
of that is done in `rest_calls`.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute


class PlainRoute(APIRoute):
    """A route of the document and of the router, and no more."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


def plain_router(**options: Any) -> APIRouter:
    """A router of such routes."""
    return APIRouter(route_class=PlainRoute, **options)
