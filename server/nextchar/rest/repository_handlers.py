"""Answers requests of the model repository: Triton's extension of the Open Inference Protocol."""

from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from nextchar.repository.manager import ModelManager
from nextchar.rest.handler import JSON
from nextchar.rest.route import RestCall
from nextchar.schemas.base import RequestFields, ResponseModel


class IndexRequest(RequestFields):
    ready: bool | None = Field(False, description="Whether to list only the versions that accept new work.")


class LoadRequest(RequestFields):
    """Triton's parameters of a load or an unload; none of them is supported."""

    parameters: Annotated[dict[str, Any], Field(max_length=0)] | None = None


class UnloadRequest(RequestFields):
    parameters: dict[str, bool | None] | None = Field(
        default=None, description="Only unload_dependents, which has no effect: no model depends on another."
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


class RepositoryHandlers:
    """Answers requests of one model manager. A model is `name`, for all its versions, or `name:version`."""

    def __init__(self, model_manager: ModelManager) -> None:
        self._model_manager = model_manager

    async def index(self, call: RestCall[IndexRequest]) -> Response:
        """Lists the versions in the models folder or served: READY, LOADING, UNLOADING or UNAVAILABLE."""
        found = [
            IndexAnswer(name=e.name, version=e.version, state=e.state, reason=e.reason).model_dump_json()
            for e in await self._model_manager.index()
            if e.state == "READY" or not call.body.ready
        ]
        headers = {"X-Request-Id": call.ctx.request_id}
        return Response(f"[{','.join(found)}]", media_type=JSON, headers=headers)

    async def load(self, call: RestCall[LoadRequest]) -> LoadAnswer:
        """Loads the versions of a model in the models folder; an invalid file changes nothing."""
        models = await self._model_manager.load(call.request.path_params["model"])
        return LoadAnswer(name=models[0].name, versions=[m.version for m in models], state="READY")

    async def unload(self, call: RestCall[UnloadRequest]) -> LoadAnswer:
        """Unloads a model; its sessions continue until they end, or until the deadline."""
        models = self._model_manager.unload(call.request.path_params["model"])
        return LoadAnswer(name=models[0].name, versions=[m.version for m in models], state="UNLOADING")
