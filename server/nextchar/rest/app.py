"""Makes the REST API of a service: a FastAPI application whose routes are those of the table."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from nextchar import __version__
from nextchar.errors import NextcharError
from nextchar.rest.errors import answer_bug, answer_error, answer_http_error
from nextchar.rest.handler import RestHandler
from nextchar.rest.http.call_counting import RouteOrOpen
from nextchar.rest.openapi import describe_with
from nextchar.rest.route import RestRoute
from nextchar.rest.routes import document_routes, rest_routes
from nextchar.schemas.item_limits import item_limits
from nextchar.security.access import OPEN, Need
from nextchar.service.service import Service


class RestApp:
    """Holds the routes; `app` is the ASGI application.

    FastAPI gives the router, the error handlers and the frame of the OpenAPI document. Its validation and its
    serialisation of each request are bypassed (`PlainRoute`): `RestHandler` reads a body from its bytes in
    one strict pass, where FastAPI would first parse it to objects.
    """

    def __init__(
        self,
        service: Service,
        *,
        max_body_bytes: int,
        request_timeout_seconds: float,
        receive_timeout_seconds: float = 20.0,
        lenient_fields: bool = False,
        more_routes: Sequence[RestRoute] = (),
    ) -> None:
        """Registers the routes of the table; `more_routes` are those of the page."""
        self._handler = RestHandler(
            service.metrics,
            item_limits(service.limits_report.limits().request),
            max_body_bytes=max_body_bytes,
            request_timeout_seconds=request_timeout_seconds,
            receive_timeout_seconds=receive_timeout_seconds,
            lenient_fields=lenient_fields,
        )
        self.app = FastAPI(
            title="nextchar",
            version=__version__,
            summary="Scores, distributions and completions from character-level recurrent language models.",
            openapi_url=None,  # the document has a row in the table
            docs_url=None,  # FastAPI's pages load scripts from elsewhere
            redoc_url=None,
        )
        self.app.router.route_class = PlainRoute
        self.app.router.redirect_slashes = False  # it redirects to where a proxy in front may not be
        self.app.add_exception_handler(NextcharError, answer_error)
        self.app.add_exception_handler(HTTPException, answer_http_error)
        self.app.add_exception_handler(Exception, answer_bug)
        self.routes = [*rest_routes(service), *document_routes(lambda: self.app.openapi()), *more_routes]
        for route in self.routes:
            self._add(route)
        describe_with(self.app, self.routes)

    @property
    def needs(self) -> dict[str, Need]:
        """The scope that each path needs, for `GuardMiddleware`."""
        return {route.path: route.need for route in self.routes}

    @property
    def labels(self) -> dict[str, RouteOrOpen]:
        """The label `route` of each path in metrics, or OPEN, for `CallCountMiddleware`."""
        return {route.path: OPEN if route.need == OPEN else route.label or "info" for route in self.routes}

    async def no_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request of a path that is in no table: an ASGI application that runs no route."""
        request = Request({**scope, "app": self.app})
        answer = await answer_http_error(request, HTTPException(404))
        await answer(scope, receive, send)

    def _add(self, route: RestRoute) -> None:
        self.app.add_api_route(
            route.path,
            self._handler.endpoint(route),
            methods=list(route.methods),
            status_code=route.status,
            name=route.name,
            description=route.description,
            tags=[*route.tags],
            include_in_schema=route.in_document,
            response_class=Response,
        )


class PlainRoute(APIRoute):
    """Routes a request to an endpoint that takes the request and returns the response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the endpoint; FastAPI's own would resolve dependencies, validate and serialise."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint
