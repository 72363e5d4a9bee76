"""The REST routes that tell about the server: models, health, metrics, version."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from nextchar.repository import Model, Repository
from nextchar.service import Service
from nextchar.version import __version__


def info_routes(service: Service) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter()

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The served models."""
        return {
            "object": "list",
            "data": [describe(service.repository, m) for m in service.repository.serving],
        }

    @router.get("/v1/models/{model_id}")
    async def model(model_id: str) -> dict[str, Any]:
        """One model, with its card."""
        found = service.repository.get(model_id)
        card = found.graph.card.model_dump(mode="json", exclude={"golden", "quantiles", "quantile_levels"})
        return {**describe(service.repository, found), "card": card}

    @router.get("/v2/health/live")
    @router.get("/livez", include_in_schema=False)
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    not_ready = {"description": "Loading, draining, or a model has failed.", "model": dict[str, str]}

    @router.get("/v2/health/ready", responses={503: not_ready})
    @router.get("/readyz", include_in_schema=False)
    @router.get("/health", include_in_schema=False)
    async def ready() -> JSONResponse:
        """Whether new work is taken and every model answers; 503 if not."""
        if service.ready:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "draining" if service.draining else "not ready"}, 503)

    text = {"content": {service.metrics.CONTENT_TYPE: {"schema": {"type": "string"}}}}

    @router.get("/metrics", response_class=Response, responses={200: text})
    async def metrics() -> Response:
        """Prometheus metrics; also on a port of their own."""
        return Response(service.metrics.exposition(), media_type=service.metrics.CONTENT_TYPE)

    @router.get("/version")
    async def version() -> dict[str, str]:
        """The server's version."""
        return {"version": __version__}

    return router


def describe(repository: Repository, model: Model) -> dict[str, Any]:
    """A model as OpenAI lists it, and what else a client may want to know."""
    card = model.graph.card
    latest = repository.get(model.name) is model
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
