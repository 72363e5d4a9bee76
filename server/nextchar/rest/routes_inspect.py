"""The REST route of inspection."""

from fastapi import APIRouter, Request, Response

from nextchar.rest.handler import RestCalls
from nextchar.rest.plain_route import plain_router
from nextchar.schemas.inspect import InspectRequest, InspectResponse
from nextchar.service.service import Service


def inspect_routes(service: Service, calls: RestCalls) -> APIRouter:
    """The route, over one service."""
    router = plain_router()

    async def inspect(request: Request) -> Response:
        return await calls.answer(request, "inspect", InspectRequest, service.inspect)

    router.add_api_route(
        "/v1/inspect",
        inspect,
        methods=["POST"],
        openapi_extra=calls.shapes.of(InspectRequest, InspectResponse),
        description=InspectRequest.__doc__,
        name="inspect",
    )
    return router
