"""Lists the calls that read a request and answer it, with their use cases, for gRPC and the library.

Names are those of the methods in proto/nextchar/v1/nextchar.proto. Completions are streams as well, and some
calls of sessions have no request: those stand where they are answered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.judging import JudgeRequest
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest
from nextchar.service.service import Service
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.telemetry.request_context import RequestContext, Route

UseCase = Callable[[Any, RequestContext], Awaitable[BaseModel]]
SessionUseCase = Callable[[str, Any, RequestContext], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that reads a request of a schema; `label` is its route in metrics."""

    name: str
    schema: type[BaseModel]
    use_case: UseCase
    label: Route


@dataclass(frozen=True, slots=True)
class SessionCall:
    """A call on one session, whose id is given beside the request."""

    name: str
    schema: type[BaseModel]
    use_case: SessionUseCase


def nextchar_calls(service: Service) -> list[Call]:
    """Lists the calls of the service Nextchar."""
    tokens = service.tokenizer
    return [
        Call("Score", ScoreRequest, service.scorer.score, "score"),
        Call("Next", NextRequest, service.predictor.next, "next"),
        Call("Compare", CompareRequest, service.comparer.compare, "compare"),
        Call("Judge", JudgeRequest, service.judger.judge, "judge"),
        Call("Inspect", InspectRequest, service.inspector.inspect, "inspect"),
        Call("Tokenize", TokenizeRequest, tokens.tokenize, "tokenize"),
        Call("Detokenize", DetokenizeRequest, tokens.detokenize, "tokenize"),
    ]


def sessions_calls(sessions: SessionLifecycle) -> list[Call]:
    """Lists the calls of the service Sessions that are about no session that exists."""
    return [
        Call("Create", CreateSessionRequest, sessions.create, "session"),
        Call("List", ListSessionsRequest, sessions.list, "session"),
    ]


def session_calls(sessions: SessionLifecycle) -> list[SessionCall]:
    """Lists the calls of the service Sessions on one session."""
    text = sessions.text
    return [
        SessionCall("Feed", FeedRequest, text.feed),
        SessionCall("Next", SessionNextRequest, text.next),
        SessionCall("Score", SessionScoreRequest, text.score),
        SessionCall("Fork", ForkRequest, sessions.fork),
        SessionCall("Checkpoint", CheckpointRequest, sessions.checkpoint),
        SessionCall("DeleteCheckpoint", CheckpointRequest, sessions.delete_checkpoint),
        SessionCall("Rollback", CheckpointRequest, sessions.rollback),
        SessionCall("Rewind", RewindRequest, sessions.rewind),
        SessionCall("Renew", RenewRequest, sessions.renew),
    ]
