"""Lists the methods that answer one request once, with their use cases, for gRPC and the library.

Names are those in proto/nextchar/v1/nextchar.proto. Completions are streams as well, and some methods of
sessions have no request: those stand where they are answered.
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
class UnaryMethod:
    """A method that reads a request of a schema; `label` is its route in metrics."""

    name: str
    schema: type[BaseModel]
    use_case: UseCase
    label: Route


@dataclass(frozen=True, slots=True)
class SessionMethod:
    """A method on one session, whose id is given beside the request."""

    name: str
    schema: type[BaseModel]
    use_case: SessionUseCase


def methods_of_nextchar(service: Service) -> list[UnaryMethod]:
    """Lists those of the service Nextchar."""
    tokens = service.tokenizer
    return [
        UnaryMethod("Score", ScoreRequest, service.scorer.score, "score"),
        UnaryMethod("Next", NextRequest, service.predictor.next, "next"),
        UnaryMethod("Compare", CompareRequest, service.comparer.compare, "compare"),
        UnaryMethod("Judge", JudgeRequest, service.judger.judge, "judge"),
        UnaryMethod("Inspect", InspectRequest, service.inspector.inspect, "inspect"),
        UnaryMethod("Tokenize", TokenizeRequest, tokens.tokenize, "tokenize"),
        UnaryMethod("Detokenize", DetokenizeRequest, tokens.detokenize, "tokenize"),
    ]


def methods_of_sessions(sessions: SessionLifecycle) -> list[UnaryMethod]:
    """Lists those of the service Sessions that are about no session that exists."""
    return [
        UnaryMethod("Create", CreateSessionRequest, sessions.create, "session"),
        UnaryMethod("List", ListSessionsRequest, sessions.list, "session"),
    ]


def methods_of_a_session(sessions: SessionLifecycle) -> list[SessionMethod]:
    """Lists those of the service Sessions on one session."""
    text = sessions.text
    return [
        SessionMethod("Feed", FeedRequest, text.feed),
        SessionMethod("Next", SessionNextRequest, text.next),
        SessionMethod("Score", SessionScoreRequest, text.score),
        SessionMethod("Fork", ForkRequest, sessions.fork),
        SessionMethod("Checkpoint", CheckpointRequest, sessions.checkpoint),
        SessionMethod("DeleteCheckpoint", CheckpointRequest, sessions.delete_checkpoint),
        SessionMethod("Rollback", CheckpointRequest, sessions.rollback),
        SessionMethod("Rewind", RewindRequest, sessions.rewind),
        SessionMethod("Renew", RenewRequest, sessions.renew),
    ]
