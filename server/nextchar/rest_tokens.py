"""The REST routes that tell of a model's symbols and of the server's limits."""

from fastapi import APIRouter, Request, Response

from nextchar.call import Call
from nextchar.limit_schemas import LimitsResponse
from nextchar.rest_calls import RestCalls, as_json
from nextchar.service import Service
from nextchar.token_schemas import TokenizerInfo


def token_routes(service: Service, calls: RestCalls) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter()

    @router.get("/v1/limits", response_model=LimitsResponse)
    async def limits() -> LimitsResponse:
        """How much one request, one owner and each model may be asked for."""
        return service.limits()

    @router.get("/tokenizer_info", response_model=TokenizerInfo)
    async def tokenizer_info(request: Request, model: str | None = None) -> Response:
        """A model's symbols, for tools that make prompts of ids; `model` where several are served."""

        async def tell(call: Call) -> TokenizerInfo:
            return service.tokenizer.info(model, call)

        answer, call = await calls.observed(request, "tokenize", tell)
        return as_json(answer, call)

    return router
