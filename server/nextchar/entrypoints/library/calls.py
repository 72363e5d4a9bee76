"""Answers a client's operations by the use cases themselves, without a wire in between."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel

from nextchar.client.operations import A, C, Operation
from nextchar.engine.work import UNLIMITED
from nextchar.errors import InvalidRequest
from nextchar.request_context import RequestContext, Route, make_context, make_request_id
from nextchar.schemas.base import validated
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    ImportStateRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionDeleted,
    SessionInfo,
    SessionNextRequest,
    SessionScoreRequest,
    SessionState,
)
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest
from nextchar.service.service import Service

UseCase = Callable[[Any, RequestContext], Awaitable[BaseModel]]
SessionUseCase = Callable[[str, Any, RequestContext], Awaitable[BaseModel]]
_ROUTES: Mapping[str, Route] = {
    "Score": "score",
    "Next": "next",
    "Complete": "complete",
    "Compare": "compare",
    "Inspect": "inspect",
    "Tokenize": "tokenize",
    "Detokenize": "tokenize",
}


class Calls:
    """Validates the fields of an operation as a server does, and runs its use case."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._use_cases = _use_cases(service)
        self._of_sessions = _of_sessions(service)

    async def answer(self, operation: Operation[A]) -> A:
        """Returns the answer of a call; raises what its use case raises."""
        name = operation.rpc or ""
        if name in self._use_cases:
            schema, use_case = self._use_cases[name]
            request = validated(lambda: schema.model_validate(operation.fields))
            return _as(operation, await _run(name, request, lambda ctx: use_case(request, ctx)))
        session_id = operation.session_id or ""
        if name in self._of_sessions:
            schema, on_session = self._of_sessions[name]
            request = validated(lambda: schema.model_validate(operation.fields))
            return _as(operation, await _run(name, request, lambda ctx: on_session(session_id, request, ctx)))
        return _as(operation, await _run(name, None, lambda ctx: self._without_body(operation, ctx)))

    async def parts(self, operation: Operation[C]) -> AsyncGenerator[C]:
        """Yields the parts of a streamed answer."""
        fields = operation.fields
        if operation.rpc == "Sessions/Sample":
            sample = validated(lambda: SampleRequest.model_validate(fields))
            ctx = _context("Sample", sample)
            pieces = self._service.sessions.text.stream(operation.session_id or "", sample, ctx)
        else:
            request = validated(lambda: CompletionRequest.model_validate(fields))
            ctx = _context("Complete", request)
            pieces = self._service.completer.stream(request, ctx)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield _as(operation, piece)
        finally:
            ctx.end()

    async def _without_body(self, operation: Operation[Any], ctx: RequestContext) -> BaseModel:
        """Answers the calls that name a session or a model and nothing else."""
        sessions, session_id = self._service.sessions, operation.session_id or ""
        match operation.rpc:
            case "Sessions/Get":
                return await sessions.get(session_id, ctx)
            case "Sessions/Delete":
                await sessions.delete(session_id, ctx)
                return SessionDeleted()
            case "Sessions/ExportState":
                return SessionState(state=await sessions.export(session_id, ctx))
            case "Sessions/ImportState":
                return await self._import_state(operation, ctx)
            case "Nextchar/TokenizerInfo":
                return self._service.tokenizer.info(operation.fields.get("model"), ctx)
            case "Nextchar/Limits":
                return self._service.limits_report.limits()
        raise InvalidRequest(
            f"{operation.path} is a call of a server: a loaded model is one, with its `card`"
        )

    async def _import_state(self, operation: Operation[Any], ctx: RequestContext) -> SessionInfo:
        fields = {**operation.fields, "state": operation.content}
        request = validated(lambda: ImportStateRequest.model_validate(fields))
        return await self._service.sessions.restore(
            operation.session_id or "", request.state, ctx, revision=request.if_revision
        )


def _use_cases(service: Service) -> Mapping[str, tuple[type[BaseModel], UseCase]]:
    tokens = service.tokenizer
    return {
        "Nextchar/Score": (ScoreRequest, service.scorer.score),
        "Nextchar/Next": (NextRequest, service.predictor.next),
        "Nextchar/Complete": (CompletionRequest, service.completer.complete),
        "Nextchar/Compare": (CompareRequest, service.comparer.compare),
        "Nextchar/Inspect": (InspectRequest, service.inspector.inspect),
        "Nextchar/Tokenize": (TokenizeRequest, tokens.tokenize),
        "Nextchar/Detokenize": (DetokenizeRequest, tokens.detokenize),
        "Sessions/Create": (CreateSessionRequest, service.sessions.create),
        "Sessions/List": (ListSessionsRequest, service.sessions.list),
    }


def _of_sessions(service: Service) -> Mapping[str, tuple[type[BaseModel], SessionUseCase]]:
    sessions, text = service.sessions, service.sessions.text
    return {
        "Sessions/Feed": (FeedRequest, text.feed),
        "Sessions/Next": (SessionNextRequest, text.next),
        "Sessions/Score": (SessionScoreRequest, text.score),
        "Sessions/Sample": (SampleRequest, text.sample),
        "Sessions/Fork": (ForkRequest, sessions.fork),
        "Sessions/Checkpoint": (CheckpointRequest, sessions.checkpoint),
        "Sessions/DeleteCheckpoint": (CheckpointRequest, sessions.delete_checkpoint),
        "Sessions/Rollback": (CheckpointRequest, sessions.rollback),
        "Sessions/Rewind": (RewindRequest, sessions.rewind),
        "Sessions/Renew": (RenewRequest, sessions.renew),
    }


async def _run(
    rpc: str, request: object, use_case: Callable[[RequestContext], Awaitable[BaseModel]]
) -> BaseModel:
    ctx = _context(rpc.partition("/")[2], request)
    try:
        return await use_case(ctx)
    finally:
        ctx.end()


def _context(name: str, request: object) -> RequestContext:
    route = _ROUTES.get(name, "session")
    return make_context(route, "cli", request, request_id=make_request_id(None), max_seconds=UNLIMITED)


def _as(operation: Operation[A], answer: BaseModel) -> A:
    """Returns the answer as the type that the client gives, which has the same fields."""
    if isinstance(answer, operation.answer_type):
        return answer
    assert isinstance(answer, Completion), "of a session: its fields are those of any completion"
    return operation.answer_type.model_construct(**dict(answer))
