"""The REST route of inspection."""

from fastapi import APIRouter, Request, Response

from nextchar.inspect_schemas import InspectRequest, InspectResponse
from nextchar.rest_calls import JSON, RestCalls
from nextchar.service import Service


def inspect_routes(service: Service, calls: RestCalls) -> APIRouter:
    """The route, over one service."""
    router = APIRouter()

    async def inspect(request: Request) -> Response:
        return await calls.answer(request, "inspect", InspectRequest, service.inspect)

    schema = {
        "requestBody": {"required": True, "content": {JSON: {"schema": InspectRequest.model_json_schema()}}}
    }
    router.add_api_route(
        "/v1/inspect",
        inspect,
        methods=["POST"],
        response_model=InspectResponse,
        openapi_extra=schema,
        description=InspectRequest.__doc__,
        name="inspect",
    )
    return router
