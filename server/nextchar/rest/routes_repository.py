"""The REST routes of the model repository: Triton's extension of the Open Inference Protocol."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from nextchar.repository.manager import ModelManager
from nextchar.request_context import RequestContext
from nextchar.rest.handler import RestHandler, as_json, plain_router
from nextchar.schemas.base import RequestFields, ResponseModel

_EMPTY = b"{}"


class IndexRequest(RequestFields):
    ready: bool = Field(False, description="Only the versions that take new work.")


class LoadRequest(RequestFields):
    """Triton's parameters of a load or an unload: none of them has a meaning here."""

    parameters: dict[str, Any] = Field(default={}, max_length=0)


class UnloadRequest(RequestFields):
    parameters: dict[str, bool] = Field(
        default={}, description="unload_dependents: nothing depends on another."
    )


class IndexAnswer(ResponseModel):
    name: str
    version: str
    state: str
    reason: str


class LoadAnswer(ResponseModel):
    """The versions that were loaded, or unloaded."""

    name: str
    versions: list[str]
    state: str


def repository_routes(model_manager: ModelManager, calls: RestHandler) -> APIRouter:
    """The routes, over one library. A model is `name`, all its versions, or `name:version`."""
    router = plain_router(tags=["repository"])

    @router.post("/v2/repository/index", openapi_extra=calls.shapes.of(answer=list[IndexAnswer]))
    async def index(request: Request) -> Response:
        """Every version in the models folder or served: READY, LOADING, UNLOADING or UNAVAILABLE."""

        async def run(wanted: IndexRequest, _call: RequestContext) -> list[IndexAnswer]:
            found = [
                entry for entry in await model_manager.index() if entry.state == "READY" or not wanted.ready
            ]
            return [
                IndexAnswer(name=e.name, version=e.version, state=e.state, reason=e.reason) for e in found
            ]

        found = await calls.observed_body(request, "repository", IndexRequest, run, empty=_EMPTY)
        return as_json_list(*found)

    @router.post("/v2/repository/models/{model}/load", openapi_extra=calls.shapes.of(answer=LoadAnswer))
    async def load(request: Request) -> Response:
        """Serve what the models folder has of a model; a file that cannot be trusted changes nothing."""

        async def run(_body: LoadRequest, _call: RequestContext) -> LoadAnswer:
            models = await model_manager.load(request.path_params["model"])
            return LoadAnswer(name=models[0].name, versions=[m.version for m in models], state="READY")

        return as_json(*await calls.observed_body(request, "repository", LoadRequest, run, empty=_EMPTY))

    @router.post("/v2/repository/models/{model}/unload", openapi_extra=calls.shapes.of(answer=LoadAnswer))
    async def unload(request: Request) -> Response:
        """Give a model no new work; sessions that began with it go on until they end, or the deadline."""

        async def run(_body: UnloadRequest, _call: RequestContext) -> LoadAnswer:
            models = model_manager.unload(request.path_params["model"])
            return LoadAnswer(name=models[0].name, versions=[m.version for m in models], state="UNLOADING")

        return as_json(*await calls.observed_body(request, "repository", UnloadRequest, run, empty=_EMPTY))

    return router


def as_json_list(answers: list[IndexAnswer], ctx: RequestContext) -> Response:
    body = "[" + ",".join(answer.model_dump_json() for answer in answers) + "]"
    return Response(body, media_type="application/json", headers={"X-Request-Id": ctx.request_id})
