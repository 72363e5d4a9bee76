"""Answers the calls of sessions that have no body: by name alone, states as bytes, conversations."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.handler import RpcHandler, as_message
from nextchar.rpc.method import SESSION_KEY, Context, RpcCall, RpcMethod
from nextchar.schemas.completion import Completion
from nextchar.schemas.sessions import CreateSessionRequest, ImportStateRequest, SampleRequest, SessionInfo
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.telemetry.request_context import RequestContext

_REPLY_FIELDS = {field.message_type.full_name: field.name for field in pb.SessionReply.DESCRIPTOR.fields}


class SessionHandlers:
    """Answers calls of one set of sessions."""

    def __init__(self, sessions: SessionLifecycle) -> None:
        self._sessions = sessions

    async def create(self, call: RpcCall[CreateSessionRequest]) -> SessionInfo:
        """Creates a session; the metadata x-session-id, by which a proxy chooses a server, may name it."""
        return await self._sessions.create(call.body.named(call.metadata.get(SESSION_KEY)), call.ctx)

    async def get(self, call: RpcCall[None]) -> SessionInfo:
        """Returns where a session stands; this does not extend its life."""
        return await self._sessions.get(call.session_id, call.ctx)

    async def delete(self, call: RpcCall[None]) -> pb.Deleted:
        """Ends a session."""
        await self._sessions.delete(call.session_id, call.ctx)
        return pb.Deleted()

    async def export_state(self, call: RpcCall[None]) -> pb.SessionState:
        """Returns the session's state as opaque bytes, which are valid for its model and its owner."""
        state = await self._sessions.export(call.session_id, call.ctx)
        return pb.SessionState(session_id=call.session_id, state=state)

    async def import_state(self, call: RpcCall[ImportStateRequest]) -> SessionInfo:
        """Sets the session to such a state."""
        state, revision = call.body.state, call.body.if_revision
        return await self._sessions.restore(call.session_id, state, call.ctx, revision=revision)

    def sample(self, call: RpcCall[SampleRequest]) -> AsyncGenerator[Completion]:
        """Yields characters as they are sampled."""
        return self._sessions.text.stream(call.session_id, call.body, call.ctx)


class Conversations:
    """Answers streams of calls on one session; each message is a call of one of the methods."""

    def __init__(self, methods: Sequence[RpcMethod], handler: RpcHandler) -> None:
        by_name = {method.name: method for method in methods}
        self._handler = handler
        self._methods: Mapping[str, RpcMethod] = {
            field.name: by_name["Get" if field.name == "open" else field.name.title().replace("_", "")]
            for field in pb.SessionCall.DESCRIPTOR.fields
        }

    async def converse(
        self, messages: AsyncIterator[pb.SessionCall], context: Context
    ) -> AsyncGenerator[pb.SessionReply]:
        """Yields the replies to the calls, in order; each call is observed by itself."""
        opened: str | None = None
        async for message in messages:
            kind = message.WhichOneof("call")
            part = message if kind is None else getattr(message, kind)

            def read(message: pb.SessionCall = message, opened: str | None = opened) -> object:
                return self._read(message, opened)

            with self._handler.observed("session", read, part, context) as call:
                assert kind is not None  # or it was refused
                method = self._methods[kind]
                if method.descriptor.server_streaming:
                    async with aclosing(method.handle(call)) as answers:
                        async for one in answers:
                            yield await _reply(method, one, call.ctx)
                    continue
                reply = await _reply(method, await method.handle(call), call.ctx)
            opened = reply.info.session_id if kind in ("create", "open") else opened
            yield reply

    def _read(self, message: pb.SessionCall, opened: str | None) -> object:
        """Reads the call of a message, on the session that is open.

        Raises:
            InvalidRequest: the message has no call, no session is open for it, or the call itself is invalid.
        """
        self._handler.check_fields(message)
        kind = message.WhichOneof("call")
        if kind is None:
            raise InvalidRequest(
                "a message of a conversation must hold one call (it holds none)", param="call"
            )
        part: Any = getattr(message, kind)
        if kind not in ("create", "open"):
            if opened is None:
                raise InvalidRequest(
                    f"a conversation must begin with create or open (it begins with {kind})", param="call"
                )
            part.session_id = opened
        read = self._methods[kind].read
        assert read is not None
        return read(part)


async def _reply(method: RpcMethod, answer: BaseModel | Message, ctx: RequestContext) -> pb.SessionReply:
    message = await as_message(answer, method.output_type, ctx)
    fields: Any = {_REPLY_FIELDS[method.descriptor.output_type.full_name]: message}
    return pb.SessionReply(**fields)
