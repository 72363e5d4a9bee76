"""The REST routes of the Open Inference Protocol that tell about the server and its models."""

from typing import Any

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse

from nextchar.service import Service

_SEQUENCE = "sequence"


def oip_info_routes(service: Service) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter(tags=["open inference protocol"])
    models = service.oip_models

    @router.get("/v2")
    async def server_metadata() -> dict[str, Any]:
        """The server's name, version and extensions of the protocol."""
        return models.server()

    @router.get("/v2/models/stats")  # before a model's own routes, which would take it for a name
    @router.get("/v2/models/{model}/stats")
    @router.get("/v2/models/{model}/versions/{version}/stats")
    async def model_statistics(model: str = "", version: str = "") -> dict[str, Any]:
        """What was counted since the server began, of one version, all of a model, or all."""
        return {"model_stats": models.statistics(model, version)}

    @router.get("/v2/models/{model}")
    @router.get("/v2/models/{model}/versions/{version}")
    async def model_metadata(model: str, version: str = "") -> dict[str, Any]:
        """The model's tensors."""
        return models.metadata(model, version)

    @router.get("/v2/models/{model}/ready")
    @router.get("/v2/models/{model}/versions/{version}/ready")
    async def model_ready(model: str, version: str = "") -> JSONResponse:
        """Whether the model answers; 503 if not."""
        found = models.get(model, version)
        body = {"name": found.name, "ready": found.ready}
        return JSONResponse(body, 200 if found.ready else 503)

    @router.get("/v2/models/{model}/config")
    @router.get("/v2/models/{model}/versions/{version}/config")
    async def model_config(
        model: str, version: str = "", x_model_scheduling: str = Header(_SEQUENCE)
    ) -> dict[str, Any]:
        """How the model may be called, in Triton's terms; X-Model-Scheduling is `sequence` or `dynamic`."""
        return models.config(model, version, x_model_scheduling)

    return router
