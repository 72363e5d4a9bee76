"""The REST routes of the Open Inference Protocol that tell about the server and its models."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from nextchar.rest.handler import plain_router
from nextchar.rest.openapi_schemas import JsonObject, OpenApiSchemas
from nextchar.service.service import Service

_SEQUENCE = "sequence"
_SCHEDULING = "X-Model-Scheduling"
_HEADER = {
    "name": _SCHEDULING,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "default": _SEQUENCE},
}


def oip_info_routes(service: Service, shapes: OpenApiSchemas) -> APIRouter:
    """The routes, over one service."""
    router = plain_router(tags=["open inference protocol"])
    models = service.model_metadata
    about: dict[str, Any] = shapes.of(answer=JsonObject)

    @router.get("/v2", openapi_extra=about)
    async def server_metadata(_request: Request) -> Response:
        """The server's name, version and extensions of the protocol."""
        return JSONResponse(models.server())

    # All models' before a model's own routes, which would take it for a name.
    @router.get("/v2/models/stats", openapi_extra=about)
    @router.get("/v2/models/{model}/stats", openapi_extra=about)
    @router.get("/v2/models/{model}/versions/{version}/stats", openapi_extra=about)
    async def model_statistics(request: Request) -> Response:
        """What was counted since the server began, of one version, all of a model, or all."""
        return JSONResponse({"model_stats": models.statistics(*model_and_version(request))})

    @router.get("/v2/models/{model}", openapi_extra=about)
    @router.get("/v2/models/{model}/versions/{version}", openapi_extra=about)
    async def model_metadata(request: Request) -> Response:
        """The model's tensors."""
        return JSONResponse(models.metadata(*model_and_version(request)))

    @router.get("/v2/models/{model}/ready", openapi_extra=about)
    @router.get("/v2/models/{model}/versions/{version}/ready", openapi_extra=about)
    async def model_ready(request: Request) -> Response:
        """Whether the model answers; 503 if not."""
        found = models.get(*model_and_version(request))
        body = {"name": found.name, "ready": found.ready}
        return JSONResponse(body, 200 if found.ready else 503)

    config = shapes.of(answer=JsonObject, given={"parameters": [_HEADER]})

    @router.get("/v2/models/{model}/config", openapi_extra=config)
    @router.get("/v2/models/{model}/versions/{version}/config", openapi_extra=config)
    async def model_config(request: Request) -> Response:
        """How the model may be called, in Triton's terms; X-Model-Scheduling is `sequence` or `dynamic`."""
        scheduling = request.headers.get(_SCHEDULING, _SEQUENCE)
        return JSONResponse(models.config(*model_and_version(request), scheduling))

    return router


def model_and_version(request: Request) -> tuple[str, str]:
    """What a path names; "" for a part that it has not."""
    return request.path_params.get("model", ""), request.path_params.get("version", "")
