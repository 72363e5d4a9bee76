"""Answers a client's operations by the use cases themselves, without a wire in between."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import BaseModel

from nextchar.client.operations import A, C, Operation
from nextchar.engine.work import UNLIMITED
from nextchar.errors import InvalidRequest
from nextchar.schemas.base import validated
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.sessions import (
    ImportStateRequest,
    SampleRequest,
    SessionDeleted,
    SessionInfo,
    SessionState,
)
from nextchar.service.service import Service
from nextchar.service.unary_methods import (
    SessionMethod,
    UnaryMethod,
    methods_of_a_session,
    methods_of_nextchar,
    methods_of_sessions,
)
from nextchar.telemetry.request_context import RequestContext, Route, make_context, make_request_id

Fields = TypeVar("Fields", bound=BaseModel)


class Calls:
    """Validates the fields of an operation as a server does, and runs its use case."""

    def __init__(self, service: Service) -> None:
        self._service, sessions = service, service.sessions
        complete = UnaryMethod("Complete", CompletionRequest, service.completer.complete, "complete")
        sample = SessionMethod("Sample", SampleRequest, sessions.text.sample)
        self._methods = {
            **{f"Nextchar/{one.name}": one for one in [*methods_of_nextchar(service), complete]},
            **{f"Sessions/{one.name}": one for one in methods_of_sessions(sessions)},
        }
        self._of_sessions = {f"Sessions/{one.name}": one for one in [*methods_of_a_session(sessions), sample]}

    async def answer(self, operation: Operation[A]) -> A:
        """Returns the answer of a call; raises what its use case raises."""
        name, session_id = operation.rpc or "", operation.session_id or ""
        if method := self._methods.get(name):
            request = _request(method.schema, operation)
            ctx = _context(method.label, request)
            return _as(operation, await _run(ctx, method.use_case(request, ctx)))
        if on_session := self._of_sessions.get(name):
            request = _request(on_session.schema, operation)
            ctx = _context("session", request)
            return _as(operation, await _run(ctx, on_session.use_case(session_id, request, ctx)))
        ctx = _context("session", None)
        return _as(operation, await _run(ctx, self._without_body(operation, ctx)))

    async def parts(self, operation: Operation[C]) -> AsyncGenerator[C]:
        """Yields the parts of a streamed answer."""
        if operation.rpc == "Sessions/Sample":
            sample = _request(SampleRequest, operation)
            ctx = _context("session", sample)
            pieces = self._service.sessions.text.stream(operation.session_id or "", sample, ctx)
        else:
            request = _request(CompletionRequest, operation)
            ctx = _context("complete", request)
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
        raise InvalidRequest(f"{operation.path} needs a server; a loaded model describes itself in `card`")

    async def _import_state(self, operation: Operation[Any], ctx: RequestContext) -> SessionInfo:
        fields = {**operation.fields, "state": operation.content}
        request = validated(lambda: ImportStateRequest.model_validate(fields))
        return await self._service.sessions.restore(
            operation.session_id or "", request.state, ctx, revision=request.if_revision
        )


def _request(schema: type[Fields], operation: Operation[Any]) -> Fields:
    return validated(lambda: schema.model_validate(operation.fields))


async def _run(ctx: RequestContext, work: Awaitable[BaseModel]) -> BaseModel:
    try:
        return await work
    finally:
        ctx.end()


def _context(route: Route, request: object) -> RequestContext:
    return make_context(route, "cli", request, request_id=make_request_id(None), max_seconds=UNLIMITED)


def _as(operation: Operation[A], answer: BaseModel) -> A:
    """Returns the answer as the type that the client gives, which has the same fields."""
    if isinstance(answer, operation.answer_type):
        return answer
    assert isinstance(answer, Completion), "of a session: its fields are those of any completion"
    return operation.answer_type.model_construct(**dict(answer))
