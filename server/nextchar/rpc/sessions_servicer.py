"""The gRPC door of sessions: nextchar.v1.Sessions."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.request_context import RequestContext
from nextchar.rpc.handler import RpcHandler
from nextchar.schemas.base import RequestFields, validated
from nextchar.schemas.protobuf import M, to_fields, to_message
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionInfo,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.telemetry.metrics import Metrics

R = TypeVar("R", bound=RequestFields)
Work = Callable[[str, Any, RequestContext], Awaitable[BaseModel]]


class SessionsServicer(nextchar_pb2_grpc.SessionsServicer):
    """The handlers. Each message names its session; what is left of it is the JSON body's fields."""

    def __init__(self, sessions: SessionLifecycle, calls: RpcHandler, metrics: Metrics) -> None:
        self._sessions, self._calls, self._metrics = sessions, calls, metrics
        # A call on one session by its name in SessionCall: schema, work, and the reply's field and type.
        text = sessions.text
        self._on_one: dict[str, tuple[type[RequestFields], Work, str, type[Message]]] = {
            "feed": (FeedRequest, text.feed, "feed", pb.FeedResponse),
            "next": (SessionNextRequest, text.next, "next", pb.SessionNextResponse),
            "score": (SessionScoreRequest, text.score, "score", pb.ScoreResponse),
            "checkpoint": (CheckpointRequest, sessions.checkpoint, "info", pb.SessionInfo),
            "rollback": (CheckpointRequest, sessions.rollback, "info", pb.SessionInfo),
            "renew": (RenewRequest, sessions.renew, "info", pb.SessionInfo),
            "rewind": (RewindRequest, sessions.rewind, "info", pb.SessionInfo),
        }

    async def Create(
        self, message: pb.CreateSessionRequest, context: grpc.aio.ServicerContext
    ) -> pb.SessionInfo:
        return await self._calls.answer(
            message, context, "session", CreateSessionRequest, self._sessions.create, pb.SessionInfo
        )

    async def Get(self, message: pb.SessionId, context: grpc.aio.ServicerContext) -> pb.SessionInfo:
        return await self._info(context, lambda ctx: self._sessions.get(_id(message), ctx))

    async def List(
        self, message: pb.ListSessionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.SessionList:
        return await self._calls.answer(
            message, context, "session", ListSessionsRequest, self._sessions.list, pb.SessionList
        )

    async def Delete(self, message: pb.SessionId, context: grpc.aio.ServicerContext) -> pb.Deleted:
        async with self._calls.observed(context, "session") as ctx:
            await self._sessions.delete(_id(message), ctx)
        return pb.Deleted()

    async def Feed(self, message: pb.FeedRequest, context: grpc.aio.ServicerContext) -> pb.FeedResponse:
        return await self._one("feed", message, context, pb.FeedResponse)

    async def Next(
        self, message: pb.SessionNextRequest, context: grpc.aio.ServicerContext
    ) -> pb.SessionNextResponse:
        return await self._one("next", message, context, pb.SessionNextResponse)

    async def Score(
        self, message: pb.SessionScoreRequest, context: grpc.aio.ServicerContext
    ) -> pb.ScoreResponse:
        return await self._one("score", message, context, pb.ScoreResponse)

    async def Checkpoint(
        self, message: pb.CheckpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.SessionInfo:
        return await self._one("checkpoint", message, context, pb.SessionInfo)

    async def Rollback(
        self, message: pb.CheckpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.SessionInfo:
        return await self._one("rollback", message, context, pb.SessionInfo)

    async def Rewind(self, message: pb.RewindRequest, context: grpc.aio.ServicerContext) -> pb.SessionInfo:
        return await self._one("rewind", message, context, pb.SessionInfo)

    async def Renew(self, message: pb.RenewRequest, context: grpc.aio.ServicerContext) -> pb.SessionInfo:
        return await self._one("renew", message, context, pb.SessionInfo)

    async def Fork(self, message: pb.ForkRequest, context: grpc.aio.ServicerContext) -> pb.SessionInfo:
        async def run(ctx: RequestContext) -> SessionInfo:
            return await self._sessions.fork(_id(message), _body(ForkRequest, message), ctx)

        return await self._info(context, run)

    async def ExportState(self, message: pb.SessionId, context: grpc.aio.ServicerContext) -> pb.SessionState:
        async def run(ctx: RequestContext) -> pb.SessionState:
            session_id = _id(message)
            return pb.SessionState(session_id=session_id, state=await self._sessions.export(session_id, ctx))

        return await self._calls.run(context, "session", run)

    async def ImportState(
        self, message: pb.SessionState, context: grpc.aio.ServicerContext
    ) -> pb.SessionInfo:
        return await self._info(context, lambda ctx: self._sessions.restore(_id(message), message.state, ctx))

    async def Sample(
        self, message: pb.SampleRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.SessionCompletion]:
        async with self._calls.observed(context, "session") as ctx:
            async for piece in self._drawn(_id(message), message, ctx):
                yield piece

    async def Converse(
        self, messages: AsyncIterator[pb.SessionCall], context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.SessionReply]:
        session_id: str | None = None
        async with self._calls.ended_by_errors(context):
            async for message in messages:
                kind = message.WhichOneof("call")
                ctx = self._calls.new_context(context, "session")
                with self._metrics.observe(ctx):
                    self._calls.check_fields(message)
                    if kind == "sample" and session_id is not None:
                        async for piece in self._drawn(session_id, message.sample, ctx):
                            yield pb.SessionReply(completion=piece)
                        continue
                    reply = await self._conversed(session_id, kind, message, ctx)
                session_id = reply.info.session_id if kind in ("create", "open") else session_id
                yield reply

    async def _conversed(
        self, session_id: str | None, kind: str | None, message: pb.SessionCall, ctx: RequestContext
    ) -> pb.SessionReply:
        """The reply to one message of a conversation that has one."""
        if kind is None:
            raise InvalidRequest(
                "a message of a conversation holds one call; this one has none", param="call"
            )
        if kind == "create":
            body = _body(CreateSessionRequest, message.create)
            return pb.SessionReply(info=to_message(await self._sessions.create(body, ctx), pb.SessionInfo))
        if kind == "open":
            info = await self._sessions.get(_id(message.open), ctx)
            return pb.SessionReply(info=to_message(info, pb.SessionInfo))
        if session_id is None:
            raise InvalidRequest(f"a conversation begins with create or open, not with {kind}", param="call")
        _, _, name, message_type = self._on_one[kind]
        answer = await self._run(kind, session_id, getattr(message, kind), ctx)
        reply: Any = {name: to_message(answer, message_type)}
        return pb.SessionReply(**reply)

    async def _one(
        self, kind: str, message: Message, context: grpc.aio.ServicerContext, message_type: type[M]
    ) -> M:
        async def run(ctx: RequestContext) -> M:
            return to_message(await self._run(kind, _id(message), message, ctx), message_type)

        return await self._calls.run(context, "session", run)

    async def _info(
        self, context: grpc.aio.ServicerContext, work: Callable[[RequestContext], Awaitable[SessionInfo]]
    ) -> pb.SessionInfo:
        async def run(ctx: RequestContext) -> pb.SessionInfo:
            return to_message(await work(ctx), pb.SessionInfo)

        return await self._calls.run(context, "session", run)

    async def _run(self, kind: str, session_id: str, message: Message, ctx: RequestContext) -> BaseModel:
        schema, work, _, _ = self._on_one[kind]
        body = _body(schema, message)
        ctx.asked(body)
        return await work(session_id, body, ctx)

    async def _drawn(
        self, session_id: str, message: pb.SampleRequest, ctx: RequestContext
    ) -> AsyncGenerator[pb.SessionCompletion]:
        body = _body(SampleRequest, message, stream=True)
        ctx.asked(body)
        async with aclosing(self._sessions.text.stream(session_id, body, ctx)) as pieces:
            async for piece in pieces:
                yield to_message(piece, pb.SessionCompletion)


def _id(message: Any) -> str:
    if not message.HasField("session_id"):
        raise InvalidRequest("session_id: field required", param="session_id")
    session_id: str = message.session_id
    return session_id


def _body(schema: type[R], message: Message, **more: object) -> R:
    """The validated body of a message."""
    return validated(lambda: schema.model_validate(to_fields(message) | more))
