"""The REST routes that tell of a model's symbols and of the server's limits."""

from fastapi import APIRouter, Request, Response

from nextchar.request_context import Call
from nextchar.rest.handler import JSON, RestCalls, as_json
from nextchar.rest.plain_route import plain_router
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.tokens import TokenizerInfo
from nextchar.service.service import Service

_MODEL = {"name": "model", "in": "query", "required": False, "schema": {"type": "string"}}


def token_routes(service: Service, calls: RestCalls) -> APIRouter:
    """The routes, over one service."""
    router = plain_router()

    @router.get("/v1/limits", openapi_extra=calls.shapes.of(answer=LimitsResponse))
    async def limits(_request: Request) -> Response:
        """How much one request, one owner and each model may be asked for."""
        return Response(service.limits().model_dump_json(), media_type=JSON)

    info = calls.shapes.of(answer=TokenizerInfo, given={"parameters": [_MODEL]})

    @router.get("/tokenizer_info", openapi_extra=info)
    async def tokenizer_info(request: Request) -> Response:
        """A model's symbols, for tools that make prompts of ids; `model` where several are served."""

        async def tell(call: Call) -> TokenizerInfo:
            return service.tokenizer.info(request.query_params.get("model"), call)

        answer, call = await calls.observed(request, "tokenize", tell)
        return as_json(answer, call)

    return router
