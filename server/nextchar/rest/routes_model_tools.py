"""REST routes of tools for one model: its symbols, its hidden states, its limits."""

from fastapi import APIRouter, Request, Response

from nextchar.request_context import RequestContext
from nextchar.rest.handler import JSON, RestHandler, as_json, plain_router
from nextchar.schemas.inspect import InspectRequest, InspectResponse
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.tokens import TokenizerInfo
from nextchar.service.service import Service

_MODEL = {"name": "model", "in": "query", "required": False, "schema": {"type": "string"}}


def model_tool_routes(service: Service, calls: RestHandler) -> APIRouter:
    """The routes, over one service."""
    router = plain_router()

    @router.get("/v1/limits", openapi_extra=calls.shapes.of(answer=LimitsResponse))
    async def limits(_request: Request) -> Response:
        """How much one request, one owner and each model may be asked for."""
        return Response(service.limits_report.limits().model_dump_json(), media_type=JSON)

    info = calls.shapes.of(answer=TokenizerInfo, given={"parameters": [_MODEL]})

    @router.get("/tokenizer_info", openapi_extra=info)
    async def tokenizer_info(request: Request) -> Response:
        """A model's symbols, for tools that make prompts of ids; `model` where several are served."""

        async def tell(ctx: RequestContext) -> TokenizerInfo:
            return service.tokenizer.info(request.query_params.get("model"), ctx)

        answer, ctx = await calls.observed(request, "tokenize", tell)
        return as_json(answer, ctx)

    async def inspect(request: Request) -> Response:
        return await calls.answer(request, "inspect", InspectRequest, service.inspector.inspect)

    router.add_api_route(
        "/v1/inspect",
        inspect,
        methods=["POST"],
        openapi_extra=calls.shapes.of(InspectRequest, InspectResponse),
        description=InspectRequest.__doc__,
        name="inspect",
    )
    return router
