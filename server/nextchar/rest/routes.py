"""Lists the REST routes: the router, the OpenAPI document, `/docs` and the scopes are made from this table.

A new route is a row here, its handler, the schemas of its body and answer, and a test.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from nextchar.rest.completion_handlers import completions, samples
from nextchar.rest.docs_page import DocumentHandlers
from nextchar.rest.info_handlers import InfoHandlers
from nextchar.rest.judge_routes import judge_routes
from nextchar.rest.oip_routes import oip_routes, repository_routes
from nextchar.rest.route import RestRoute, answering, get, of_model_in_path, on_session, post
from nextchar.rest.session_handlers import (
    BYTES,
    SessionHandlers,
    checkpoint_in_path,
    imported_state,
    list_query,
    new_session,
)
from nextchar.schemas.compare import CompareRequest, CompareResponse
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.inspect import InspectRequest, InspectResponse
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.schemas.sessions import (
    MAX_SESSION_ID_CHARS,
    SESSION_HEADER,
    SESSION_ID,
    ChangeFields,
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    FeedResponse,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionCompletion,
    SessionInfo,
    SessionList,
    SessionNextRequest,
    SessionNextResponse,
    SessionScoreRequest,
)
from nextchar.schemas.tokens import (
    DetokenizeRequest,
    DetokenizeResponse,
    TokenizeRequest,
    TokenizeResponse,
    TokenizerInfo,
)
from nextchar.security.access import ANY, OPEN
from nextchar.security.principal import Scope
from nextchar.service.service import Service
from nextchar.service.sessions.lifecycle import SessionLifecycle

_SESSIONS = "/v1/sessions"
_SESSION = "/v1/sessions/{session_id}"
_NOT_READY = {
    "description": "The server is loading or draining, or a model or a background task has failed.",
    "content": {
        "application/json": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
    },
}
_SESSION_HEADER = {
    "name": SESSION_HEADER,
    "in": "header",
    "required": False,
    "description": "The id of the session, where the body has none; empty is none.",
    "schema": {"type": "string", "pattern": f"^$|{SESSION_ID}", "maxLength": MAX_SESSION_ID_CHARS},
}
_STATE = {"content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}
_OF_MODEL = "/models/{model}"
_TOKENIZER_INFO = "/tokenizer_info"
_MODEL_QUERY = {"name": "model", "in": "query", "required": False, "schema": {"type": "string"}}


def rest_routes(service: Service) -> list[RestRoute]:
    """Lists the routes of the API; the page at `/` adds its own."""
    return [
        *inference_routes(service),
        *routes_of_one_model(service),
        *judge_routes(service.judger),
        *session_routes(service.sessions),
        *info_routes(service),
        *oip_routes(service),
        *repository_routes(service.model_manager),
    ]


def document_routes(document: Callable[[], dict[str, Any]]) -> list[RestRoute]:
    """Lists the routes of the OpenAPI document."""
    handlers = DocumentHandlers(document)
    row = partial(get, need=ANY, in_document=False)
    return [
        row("/openapi.json", handlers.document),
        row("/docs", handlers.page),
    ]


def inference_routes(service: Service) -> list[RestRoute]:
    """Lists the routes that run a model without a session."""
    add, tokens = partial(post, need=Scope.INFER), service.tokenizer
    complete = completions(service.completer.complete, service.completer.stream)
    return [
        add("/v1/score", ScoreRequest, ScoreResponse, answering(service.scorer.score), label="score"),
        add(
            "/v1/compare",
            CompareRequest,
            CompareResponse,
            answering(service.comparer.compare),
            label="compare",
        ),
        add("/v1/next", NextRequest, NextResponse, answering(service.predictor.next), label="next"),
        add(
            "/v1/completions",
            CompletionRequest,
            Completion,
            complete,
            label="complete",
            name="complete",
            streams=True,
        ),
        add("/tokenize", TokenizeRequest, TokenizeResponse, answering(tokens.tokenize), label="tokenize"),
        add(
            "/detokenize",
            DetokenizeRequest,
            DetokenizeResponse,
            answering(tokens.detokenize),
            label="tokenize",
        ),
        add(
            "/v1/inspect",
            InspectRequest,
            InspectResponse,
            answering(service.inspector.inspect),
            label="inspect",
        ),
    ]


def routes_of_one_model(service: Service) -> list[RestRoute]:
    """Lists the routes of models once more, for clients that take an address but cannot name a model.

    An address of OpenAI's clients is /models/{model}/v1 then, which lists that model alone. The OpenAPI
    document has each route once.
    """
    row = partial(replace, in_document=False)
    about_models = ("/v1/models", "/v1/models/{model_id}", _TOKENIZER_INFO)
    return [
        *(
            row(route, path=_OF_MODEL + route.path)
            for route in info_routes(service)
            if route.path in about_models
        ),
        *(
            row(route, path=_OF_MODEL + route.path, read=of_model_in_path(route.read))
            for route in inference_routes(service)
            if route.read is not None
        ),
    ]


def session_routes(sessions: SessionLifecycle) -> list[RestRoute]:
    """Lists the routes of sessions. Each answer and error names its session in X-Session-Id."""
    return [*_session_posts(sessions), *_session_records(SessionHandlers(sessions))]


def _session_posts(sessions: SessionLifecycle) -> list[RestRoute]:
    """Lists the routes that create and move sessions."""
    text = sessions.text
    on = partial(
        post,
        label="session",
        need=Scope.SESSIONS,
        tags=("sessions",),
        noun="session",
        body_required=False,
    )
    return [
        on(
            _SESSIONS,
            CreateSessionRequest,
            SessionInfo,
            answering(sessions.create),
            name="create_session",
            status=201,
            read=new_session,
            document={"parameters": [_SESSION_HEADER]},
        ),
        on(f"{_SESSION}/feed", FeedRequest, FeedResponse, on_session(text.feed)),
        on(f"{_SESSION}/next", SessionNextRequest, SessionNextResponse, on_session(text.next)),
        on(f"{_SESSION}/score", SessionScoreRequest, ScoreResponse, on_session(text.score)),
        on(
            f"{_SESSION}/sample",
            SampleRequest,
            SessionCompletion,
            samples(text.sample, text.stream),
            streams=True,
        ),
        on(f"{_SESSION}/fork", ForkRequest, SessionInfo, on_session(sessions.fork), status=201),
        on(f"{_SESSION}/checkpoint", CheckpointRequest, SessionInfo, on_session(sessions.checkpoint)),
        on(f"{_SESSION}/rollback", CheckpointRequest, SessionInfo, on_session(sessions.rollback)),
        on(f"{_SESSION}/renew", RenewRequest, SessionInfo, on_session(sessions.renew)),
        on(f"{_SESSION}/rewind", RewindRequest, SessionInfo, on_session(sessions.rewind)),
    ]


def _session_records(handlers: SessionHandlers) -> list[RestRoute]:
    """Lists the routes that list, read, replace and delete sessions."""
    row = partial(RestRoute, label="session", need=Scope.SESSIONS, tags=("sessions",))
    return [
        row(
            path=_SESSIONS,
            methods=("GET",),
            handle=handlers.list,
            read=list_query,
            query=ListSessionsRequest,
            answer=SessionList,
            name="list_sessions",
        ),
        row(path=_SESSION, methods=("GET",), handle=handlers.get, answer=SessionInfo, name="get_session"),
        row(path=_SESSION, methods=("DELETE",), handle=handlers.delete, status=204, name="delete_session"),
        row(
            path=f"{_SESSION}/checkpoints/{{name}}",
            methods=("DELETE",),
            handle=handlers.delete_checkpoint,
            read=checkpoint_in_path,
            query=ChangeFields,
            answer=SessionInfo,
        ),
        row(
            path=f"{_SESSION}/state",
            methods=("GET",),
            handle=handlers.export_state,
            document={"responses": {"200": _STATE}},
        ),
        row(
            path=f"{_SESSION}/state",
            methods=("PUT",),
            handle=handlers.import_state,
            is_json=False,
            read=imported_state,
            query=ChangeFields,
            answer=SessionInfo,
            document={"requestBody": {"required": True, **_STATE}},
        ),
    ]


def info_routes(service: Service) -> list[RestRoute]:
    """Lists the routes that report on the server: models, health, metrics, limits."""
    handlers = InfoHandlers(service)
    about = partial(get, need=ANY)
    probe = partial(get, need=OPEN)
    text = {"content": {service.metrics.CONTENT_TYPE: {"schema": {"type": "string"}}}}
    not_ready = {"responses": {"503": _NOT_READY}}
    return [
        about("/v1/models", handlers.models),
        about("/v1/models/{model_id}", handlers.model),
        probe("/v2/health/live", handlers.live),
        probe("/livez", handlers.live, in_document=False),
        probe("/v2/health/ready", handlers.ready, document=not_ready),
        probe("/readyz", handlers.ready, in_document=False),
        probe("/health", handlers.ready, in_document=False),
        get("/metrics", handlers.metrics, None, need=Scope.METRICS, document={"responses": {"200": text}}),
        about("/version", handlers.version),
        about("/v1/limits", handlers.limits, LimitsResponse),
        RestRoute(
            path=_TOKENIZER_INFO,
            methods=("GET",),
            handle=handlers.tokenizer_info,
            need=ANY,
            label="tokenize",
            answer=TokenizerInfo,
            document={"parameters": [_MODEL_QUERY]},
        ),
    ]
