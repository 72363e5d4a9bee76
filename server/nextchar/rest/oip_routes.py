"""Lists the REST routes of the Open Inference Protocol and of the model repository."""

from functools import partial

from nextchar.repository.manager import ModelManager
from nextchar.rest.oip_handlers import SCHEDULING, SEQUENCE, OipHandlers, infer_body
from nextchar.rest.repository_handlers import (
    IndexAnswer,
    IndexRequest,
    LoadAnswer,
    LoadRequest,
    RepositoryHandlers,
    UnloadRequest,
)
from nextchar.rest.route import EMPTY, RestRoute, get, json_of, post
from nextchar.security.access import ANY
from nextchar.security.principal import Scope
from nextchar.service.oip.schemas import GenerateRequest, GenerateResponse, InferBody, InferResponse
from nextchar.service.service import Service

_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_SCHEDULING_HEADER = {
    "name": SCHEDULING,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "default": SEQUENCE},
}


def oip_routes(service: Service) -> list[RestRoute]:
    """Lists the routes of the Open Inference Protocol; those of a model also have its version in the path."""
    handlers, tags = OipHandlers(service), ("open inference protocol",)
    about = partial(get, need=ANY, tags=tags)
    generate = partial(post, need=Scope.INFER, tags=tags, label="generate")
    routes = [
        about("/v2", handlers.server_metadata),
        # Before the routes of one model, in which "stats" would be its name.
        about("/v2/models/stats", handlers.model_statistics),
    ]
    for path in (_VERSION, _MODEL):
        routes += [
            about(f"{path}/stats", handlers.model_statistics),
            about(path, handlers.model_metadata),
            about(f"{path}/ready", handlers.model_ready),
            about(f"{path}/config", handlers.model_config, document={"parameters": [_SCHEDULING_HEADER]}),
            RestRoute(
                path=f"{path}/infer",
                methods=("POST",),
                handle=handlers.infer,
                need=Scope.INFER,
                label="infer",
                is_json=False,  # tensors' bytes may follow the JSON
                read=infer_body,
                body=InferBody,
                answer=InferResponse,
                tags=tags,
            ),
            generate(f"{path}/generate", GenerateRequest, GenerateResponse, handlers.generate),
            generate(
                f"{path}/generate_stream",
                GenerateRequest,
                GenerateResponse,
                handlers.generate_stream,
                streams=True,
            ),
        ]
    return routes


def repository_routes(model_manager: ModelManager) -> list[RestRoute]:
    """Lists the routes that load and unload models; their bodies may be empty."""
    handlers = RepositoryHandlers(model_manager)
    row = partial(RestRoute, methods=("POST",), label="repository", need=Scope.ADMIN, tags=("repository",))
    return [
        row(
            path="/v2/repository/index",
            handle=handlers.index,
            read=json_of(IndexRequest, empty=EMPTY),
            answer=list[IndexAnswer],
        ),
        row(
            path="/v2/repository/models/{model}/load",
            handle=handlers.load,
            read=json_of(LoadRequest, empty=EMPTY),
            answer=LoadAnswer,
        ),
        row(
            path="/v2/repository/models/{model}/unload",
            handle=handlers.unload,
            read=json_of(UnloadRequest, empty=EMPTY),
            answer=LoadAnswer,
        ),
    ]
