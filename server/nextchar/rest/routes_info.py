"""The REST routes that tell about the server: models, health, metrics, version."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from nextchar import __version__
from nextchar.repository.served_models import Model, ServedModels
from nextchar.rest.handler import plain_router
from nextchar.rest.openapi_schemas import JsonObject, OpenApiSchemas
from nextchar.service.service import Service

_NOT_READY = {
    "description": "Loading, draining, or a model or a background task has failed.",
    "content": {
        "application/json": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
    },
}


def info_routes(service: Service, shapes: OpenApiSchemas) -> APIRouter:
    """The routes, over one service."""
    router = plain_router()
    about: dict[str, Any] = shapes.of(answer=JsonObject)

    @router.get("/v1/models", openapi_extra=about)
    async def models(_request: Request) -> Response:
        """The served models."""
        found = [describe(service.served_models, model) for model in service.served_models.serving]
        return JSONResponse({"object": "list", "data": found})

    @router.get("/v1/models/{model_id}", openapi_extra=about)
    async def model(request: Request) -> Response:
        """One model, with its card."""
        found = service.served_models.get(request.path_params["model_id"])
        card = found.graph.card.model_dump(mode="json", exclude={"golden", "quantiles", "quantile_levels"})
        return JSONResponse({**describe(service.served_models, found), "card": card})

    @router.get("/v2/health/live", openapi_extra=about)
    @router.get("/livez", include_in_schema=False)
    async def live(_request: Request) -> Response:
        """Whether the process answers."""
        return JSONResponse({"status": "ok"})

    health = shapes.of(answer=JsonObject, given={"responses": {"503": _NOT_READY}})

    @router.get("/v2/health/ready", openapi_extra=health)
    @router.get("/readyz", include_in_schema=False)
    @router.get("/health", include_in_schema=False)
    async def ready(_request: Request) -> Response:
        """Whether new work is taken and every model answers; 503 if not."""
        if service.ready:
            return JSONResponse({"status": "ok"})
        status = "draining" if service.draining else service.failure or "not ready"
        return JSONResponse({"status": status}, 503)

    text = {"content": {service.metrics.CONTENT_TYPE: {"schema": {"type": "string"}}}}

    @router.get("/metrics", response_class=Response, responses={200: text})
    async def metrics(_request: Request) -> Response:
        """Prometheus metrics; also on a port of their own."""
        return Response(service.metrics.exposition(), media_type=service.metrics.CONTENT_TYPE)

    @router.get("/version", openapi_extra=about)
    async def version(_request: Request) -> Response:
        """The server's version."""
        return JSONResponse({"version": __version__})

    return router


def describe(served_models: ServedModels, model: Model) -> dict[str, Any]:
    """A model as OpenAI lists it, and what else a client may want to know."""
    card = model.graph.card
    latest = served_models.get(model.name) is model
    return {
        "id": model.name if latest else f"{model.name}:{model.version}",
        "object": "model",
        "created": model.created,
        "owned_by": "nextchar",
        "version": model.version,
        "cell": card.cell,
        "precision": card.precision,
        "unit": card.vocabulary.unit,
        "vocab_size": len(card.vocabulary.characters),
        "state_bytes": model.graph.state_bytes,
        "digest": model.graph.digest,
        "ready": model.ready,
    }
