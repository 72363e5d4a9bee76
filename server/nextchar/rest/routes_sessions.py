"""The REST routes of sessions."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from nextchar.request_context import RequestContext
from nextchar.rest.body import while_connected
from nextchar.rest.handler import RestHandler, as_json, call_headers, plain_router
from nextchar.schemas.base import validated
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import (
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
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.telemetry.metrics import Metrics

R = TypeVar("R", bound=BaseModel)
_BYTES = "application/octet-stream"
_PATH = "/v1/sessions"
_EMPTY = b"{}"  # most calls of a session need no field


class _Routes:
    """Handlers over one set of sessions; each answer names its session in X-Session-Id."""

    def __init__(self, sessions: SessionLifecycle, calls: RestHandler, metrics: Metrics) -> None:
        self._sessions, self._calls, self._metrics = sessions, calls, metrics
        self.router = plain_router(tags=["sessions"])
        self._post("", CreateSessionRequest, SessionInfo, self._create, status=201)
        self._post("/{session_id}/feed", FeedRequest, FeedResponse, self._on(FeedRequest, sessions.text.feed))
        next_ = self._on(SessionNextRequest, sessions.text.next)
        self._post("/{session_id}/next", SessionNextRequest, SessionNextResponse, next_)
        score = self._on(SessionScoreRequest, sessions.text.score)
        self._post("/{session_id}/score", SessionScoreRequest, ScoreResponse, score)
        self._post("/{session_id}/sample", SampleRequest, SessionCompletion, self._sample)
        fork = self._on(ForkRequest, sessions.fork, status=201)
        self._post("/{session_id}/fork", ForkRequest, SessionInfo, fork, status=201)
        checkpoint = self._on(CheckpointRequest, sessions.checkpoint)
        self._post("/{session_id}/checkpoint", CheckpointRequest, SessionInfo, checkpoint)
        rollback = self._on(CheckpointRequest, sessions.rollback)
        self._post("/{session_id}/rollback", CheckpointRequest, SessionInfo, rollback)
        renew = self._on(RenewRequest, sessions.renew)
        self._post("/{session_id}/renew", RenewRequest, SessionInfo, renew)
        self._post(
            "/{session_id}/rewind", RewindRequest, SessionInfo, self._on(RewindRequest, sessions.rewind)
        )
        add, shape = self.router.add_api_route, calls.shapes.of
        add(
            _PATH,
            self._list,
            methods=["GET"],
            openapi_extra=shape(answer=SessionList, query=ListSessionsRequest),
            name="list_sessions",
        )
        one = _PATH + "/{session_id}"
        add(one, self._get, methods=["GET"], openapi_extra=shape(answer=SessionInfo), name="get_session")
        add(one, self._delete, methods=["DELETE"], status_code=204, name="delete_session")
        content = {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
        add(one + "/state", self._export, methods=["GET"], responses={200: content}, name="export_state")
        add(
            one + "/state",
            self._restore,
            methods=["PUT"],
            openapi_extra=shape(answer=SessionInfo, given={"requestBody": {"required": True, **content}}),
            name="import_state",
        )

    def _post(
        self,
        path: str,
        body: type[BaseModel],
        answer: type[BaseModel],
        handler: Callable[..., Awaitable[Response]],
        *,
        status: int = 200,
    ) -> None:
        name = path.rpartition("/")[2] or "create"
        self.router.add_api_route(
            _PATH + path,
            handler,
            methods=["POST"],
            status_code=status,
            openapi_extra=self._calls.shapes.of(body, answer, status=status, body_required=False),
            description=body.__doc__,
            name=f"{name}_session",
        )

    def _on(
        self,
        schema: type[R],
        work: Callable[[str, R, RequestContext], Awaitable[BaseModel]],
        *,
        status: int = 200,
    ) -> Callable[..., Awaitable[Response]]:
        """A handler of a call on one session."""

        async def handle(request: Request) -> Response:
            def run(body: R, ctx: RequestContext) -> Awaitable[BaseModel]:
                return work(_session_id(request), body, ctx)

            return _as_json(
                request,
                *await self._calls.observed_body(request, "session", schema, run, empty=_EMPTY),
                status=status,
            )

        return handle

    async def _create(self, request: Request) -> Response:
        answer, ctx = await self._calls.observed_body(
            request, "session", CreateSessionRequest, self._sessions.create
        )
        return _as_json(request, answer, ctx, status=201)

    async def _list(self, request: Request) -> Response:
        """The caller's live sessions by id, a page at a time: `after` an id, `limit` of them."""

        async def run(ctx: RequestContext) -> SessionList:
            given = dict(request.query_params)
            body = validated(lambda: ListSessionsRequest.model_validate_strings(given))
            return await self._sessions.list(body, ctx)

        return _as_json(request, *await self._calls.observed(request, "session", run))

    async def _get(self, request: Request) -> Response:
        """Where a session stands."""
        session_id = _session_id(request)
        return _as_json(
            request,
            *await self._calls.observed(request, "session", lambda ctx: self._sessions.get(session_id, ctx)),
        )

    async def _delete(self, request: Request) -> Response:
        """End a session."""
        session_id = _session_id(request)
        _, ctx = await self._calls.observed(
            request, "session", lambda ctx: self._sessions.delete(session_id, ctx)
        )
        return Response(status_code=204, headers={**call_headers(ctx), "X-Session-Id": session_id})

    async def _export(self, request: Request) -> Response:
        """The session's state as opaque bytes, for its model and its owner."""
        session_id = _session_id(request)
        sealed, ctx = await self._calls.observed(
            request, "session", lambda ctx: self._sessions.export(session_id, ctx)
        )
        headers = {**call_headers(ctx), "X-Session-Id": session_id}
        return Response(sealed, media_type=_BYTES, headers=headers)

    async def _restore(self, request: Request) -> Response:
        """Put the session where such bytes say."""

        ctx = self._calls.new_context(request, "session")
        with self._metrics.observe(ctx):
            sealed = await self._calls.body(request)
            work = self._sessions.restore(_session_id(request), sealed, ctx)
            answer = await while_connected(request, work)
        return _as_json(request, answer, ctx)

    async def _sample(self, request: Request) -> Response:
        session_id = _session_id(request)
        ctx = self._calls.new_context(request, "session")
        with ExitStack() as observed:
            observed.enter_context(self._metrics.observe(ctx))
            body = await self._calls.parse(request, SampleRequest, empty=_EMPTY)
            headers = {"X-Session-Id": session_id}
            if not body.stream:
                answer = await while_connected(request, self._sessions.text.sample(session_id, body, ctx))
                return as_json(answer, ctx, headers=headers)
            pieces, observed = self._sessions.text.stream(session_id, body, ctx), observed.pop_all()
        return await self._calls.streamed(
            request,
            ctx,
            pieces,
            observed=observed,
            include_usage=body.stream_options.include_usage,
            headers=headers,
        )


def _as_json(request: Request, answer: BaseModel, ctx: RequestContext, *, status: int = 200) -> Response:
    """An answer that names its session, if it is of one."""
    session_id = getattr(answer, "session_id", request.path_params.get("session_id"))
    headers = {} if session_id is None else {"X-Session-Id": session_id}
    return as_json(answer, ctx, status=status, headers=headers)


def _session_id(request: Request) -> str:
    found: str = request.path_params["session_id"]
    return found


def session_routes(sessions: SessionLifecycle, calls: RestHandler, metrics: Metrics) -> APIRouter:
    """The routes, over one set of sessions."""
    return _Routes(sessions, calls, metrics).router
