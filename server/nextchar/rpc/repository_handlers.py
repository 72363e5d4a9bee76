"""Answers calls of the model repository: Triton's extension of the Open Inference Protocol."""

from collections.abc import Mapping
from typing import Any

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2 as pb
from nextchar.repository.manager import ModelManager
from nextchar.rpc.method import RpcCall


class RepositoryHandlers:
    """Answers calls of one model manager. A model is `name`, for all its versions, or `name:version`."""

    def __init__(self, model_manager: ModelManager, *, lenient_fields: bool) -> None:
        self._model_manager, self._lenient_fields = model_manager, lenient_fields

    async def index(self, call: RpcCall[None]) -> pb.RepositoryIndexResponse:
        """Lists the versions in the models folder or served."""
        self._check(call.message.repository_name)
        response = pb.RepositoryIndexResponse()
        for entry in await self._model_manager.index():
            if entry.state == "READY" or not call.message.ready:
                response.models.add(
                    name=entry.name, version=entry.version, state=entry.state, reason=entry.reason
                )
        return response

    async def load(self, call: RpcCall[None]) -> pb.RepositoryModelLoadResponse:
        """Loads the versions of a model in the models folder."""
        self._check(call.message.repository_name, call.message.parameters)
        await self._model_manager.load(call.message.model_name)
        return pb.RepositoryModelLoadResponse()

    async def unload(self, call: RpcCall[None]) -> pb.RepositoryModelUnloadResponse:
        """Unloads a model."""
        # No model depends on another, so that unload_dependents has no effect.
        parameters = {
            name: one for name, one in call.message.parameters.items() if name != "unload_dependents"
        }
        self._check(call.message.repository_name, parameters)
        self._model_manager.unload(call.message.model_name)
        return pb.RepositoryModelUnloadResponse()

    def _check(self, repository_name: str, parameters: Mapping[str, Any] | None = None) -> None:
        if repository_name:
            raise InvalidRequest(
                f"repository_name must be empty: there is one repository (it is {repository_name[:40]!r})",
                param="repository_name",
            )
        if self._lenient_fields:
            return
        for name in parameters or ():
            raise InvalidRequest(f"unknown parameter {name[:40]!r}", param=name[:40], code="unknown_field")
