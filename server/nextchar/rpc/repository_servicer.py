"""The gRPC calls of the model repository: Triton's extension of the Open Inference Protocol."""

from collections.abc import Mapping

import grpc

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2 as pb
from nextchar.repository.manager import ModelManager
from nextchar.request_context import RequestContext
from nextchar.rpc.handler import RpcHandler


class RepositoryServicer:
    """The handlers, over one library. A model is `name`, all its versions, or `name:version`."""

    def __init__(self, model_manager: ModelManager, calls: RpcHandler) -> None:
        self._model_manager, self._calls = model_manager, calls

    async def RepositoryIndex(
        self, message: pb.RepositoryIndexRequest, context: grpc.aio.ServicerContext
    ) -> pb.RepositoryIndexResponse:
        async def run(_call: RequestContext) -> pb.RepositoryIndexResponse:
            self._check(message.repository_name)
            response = pb.RepositoryIndexResponse()
            for entry in await self._model_manager.index():
                if entry.state == "READY" or not message.ready:
                    response.models.add(
                        name=entry.name, version=entry.version, state=entry.state, reason=entry.reason
                    )
            return response

        return await self._calls.run(context, "repository", run)

    async def RepositoryModelLoad(
        self, message: pb.RepositoryModelLoadRequest, context: grpc.aio.ServicerContext
    ) -> pb.RepositoryModelLoadResponse:
        async def run(_call: RequestContext) -> pb.RepositoryModelLoadResponse:
            self._check(message.repository_name, message.parameters)
            await self._model_manager.load(message.model_name)
            return pb.RepositoryModelLoadResponse()

        return await self._calls.run(context, "repository", run)

    async def RepositoryModelUnload(
        self, message: pb.RepositoryModelUnloadRequest, context: grpc.aio.ServicerContext
    ) -> pb.RepositoryModelUnloadResponse:
        async def run(_call: RequestContext) -> pb.RepositoryModelUnloadResponse:
            # Nothing depends on a model, so that it does not matter what is to happen to its dependents.
            parameters = {
                name: one for name, one in message.parameters.items() if name != "unload_dependents"
            }
            self._check(message.repository_name, parameters)
            self._model_manager.unload(message.model_name)
            return pb.RepositoryModelUnloadResponse()

        return await self._calls.run(context, "repository", run)

    def _check(
        self, repository_name: str, parameters: Mapping[str, pb.ModelRepositoryParameter] | None = None
    ) -> None:
        if repository_name:
            raise InvalidRequest(
                f"repository_name is {repository_name[:40]!r}; there is one repository, and it has no name",
                param="repository_name",
            )
        if self._calls.lenient_fields:
            return
        for name in parameters or ():
            raise InvalidRequest(f"unknown parameter {name[:40]!r}", param=name[:40], code="unknown_field")
