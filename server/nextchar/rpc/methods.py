"""Lists the gRPC methods: what the server registers and the scopes are made from this table.

The messages and the streams of a method are those of its proto file. A new method is a row here, its message
there, its handler, and a test.
"""

from collections.abc import Mapping
from functools import partial

from nextchar.pb import inference_pb2, nextchar_pb2
from nextchar.rpc.completion_handlers import completions
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.info_handlers import InfoHandlers, model_name
from nextchar.rpc.method import RpcMethod, answering, body_of, body_on_session, nothing_of, on_session
from nextchar.rpc.oip_handlers import OipHandlers
from nextchar.rpc.repository_handlers import RepositoryHandlers
from nextchar.rpc.score_stream import VERDICTS, ScoreStreams
from nextchar.rpc.session_handlers import Conversations, SessionHandlers
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.sessions import ImportStateRequest, SampleRequest
from nextchar.security.access import ANY, OPEN, Need
from nextchar.security.principal import Scope
from nextchar.service.service import Service
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.service.unary_methods import (
    methods_of_a_session,
    methods_of_nextchar,
    methods_of_sessions,
)

NEXTCHAR = nextchar_pb2.DESCRIPTOR.services_by_name["Nextchar"]
SESSIONS = nextchar_pb2.DESCRIPTOR.services_by_name["Sessions"]
INFERENCE = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
# The services of gRPC's own packages, which register themselves.
_OTHER_NEEDS: Mapping[str, Need] = {
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.health.v1.Health/List": OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANY,
}


def rpc_methods(service: Service, handler: RpcHandler) -> list[RpcMethod]:
    """Lists the methods of the API."""
    return [
        *nextchar_methods(service, handler),
        *session_methods(service.sessions, handler),
        *inference_methods(service, handler),
    ]


def rpc_needs(methods: list[RpcMethod]) -> dict[str, Need]:
    """Returns the scope that each path needs, with those of health and reflection."""
    return {**_OTHER_NEEDS, **{method.path: method.need for method in methods}}


def nextchar_methods(service: Service, handler: RpcHandler) -> list[RpcMethod]:
    """Lists the methods of nextchar.v1.Nextchar."""
    row = partial(RpcMethod, service=NEXTCHAR, need=Scope.INFER)
    info = InfoHandlers(service)
    complete = completions(service.completer.complete, service.completer.stream)
    return [
        *(
            row(unary.name, answering(unary.use_case), body_of(unary.schema), unary.label)
            for unary in methods_of_nextchar(service)
        ),
        row("ScoreStream", ScoreStreams(service.scorer.stream, handler).answers, label="score"),
        row("JudgeStream", ScoreStreams(service.judger.stream, handler, VERDICTS).answers, label="judge"),
        row("Complete", complete, body_of(CompletionRequest), "complete"),
        row("TokenizerInfo", info.tokenizer_info, model_name, "tokenize", need=ANY),
        row("Limits", info.limits, need=ANY),
    ]


def session_methods(sessions: SessionLifecycle, handler: RpcHandler) -> list[RpcMethod]:
    """Lists the methods of nextchar.v1.Sessions. Each message names its session, except in a conversation."""
    handlers = SessionHandlers(sessions)
    of_metadata = {"Create": handlers.create}  # what also reads the metadata of its call
    row = partial(RpcMethod, service=SESSIONS, need=Scope.SESSIONS, label="session")
    methods = [
        *(
            row(unary.name, of_metadata.get(unary.name, answering(unary.use_case)), body_of(unary.schema))
            for unary in methods_of_sessions(sessions)
        ),
        *(
            row(unary.name, on_session(unary.use_case), body_on_session(unary.schema))
            for unary in methods_of_a_session(sessions)
        ),
        row("Get", handlers.get, nothing_of),
        row("Delete", handlers.delete, nothing_of),
        row("Sample", handlers.sample, body_on_session(SampleRequest, stream=True)),
        row("ExportState", handlers.export_state, nothing_of),
        row("ImportState", handlers.import_state, body_on_session(ImportStateRequest)),
    ]
    return [*methods, row("Converse", Conversations(methods, handler).converse)]


def inference_methods(service: Service, handler: RpcHandler) -> list[RpcMethod]:
    """Lists the methods of inference.GRPCInferenceService, with Triton's repository."""
    oip = OipHandlers(service, handler)
    repository = RepositoryHandlers(service.model_manager, lenient_fields=handler.lenient_fields)
    row = partial(RpcMethod, service=INFERENCE)
    admin = partial(row, read=nothing_of, label="repository", need=Scope.ADMIN)
    return [
        row("ServerLive", oip.server_live, need=OPEN),
        row("ServerReady", oip.server_ready, need=OPEN),
        row("ModelReady", oip.model_ready, need=ANY),
        row("ServerMetadata", oip.server_metadata, need=ANY),
        row("ModelMetadata", oip.model_metadata, need=ANY),
        row("ModelConfig", oip.model_config, need=ANY),
        row("ModelStatistics", oip.model_statistics, need=ANY),
        row("ModelInfer", oip.infer, oip.infer_request, "infer", need=Scope.INFER),
        row("ModelStreamInfer", oip.stream_infer, label="infer", need=Scope.INFER),
        admin("RepositoryIndex", repository.index),
        admin("RepositoryModelLoad", repository.load),
        admin("RepositoryModelUnload", repository.unload),
    ]
