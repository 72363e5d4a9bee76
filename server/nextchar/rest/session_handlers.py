"""Answers the requests of sessions that have no JSON body: lists, deletions, states as bytes."""

from typing import TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from nextchar.rest.body import BodyRules
from nextchar.rest.handler import call_headers
from nextchar.rest.route import EMPTY, RestCall
from nextchar.schemas.base import validated
from nextchar.schemas.sessions import (
    SESSION_HEADER,
    ChangeFields,
    CheckpointRequest,
    CreateSessionRequest,
    ImportStateRequest,
    ListSessionsRequest,
    SessionInfo,
    SessionList,
)
from nextchar.service.sessions.lifecycle import SessionLifecycle

Fields = TypeVar("Fields", bound=BaseModel)
BYTES = "application/octet-stream"


def new_session(request: Request, content: bytes, rules: BodyRules) -> CreateSessionRequest:
    """Reads what to create; the header X-Session-Id, by which a proxy chooses a server, may name it."""
    return rules.read_json(CreateSessionRequest, content or EMPTY).named(request.headers.get(SESSION_HEADER))


def list_query(request: Request, _content: bytes, _rules: BodyRules) -> ListSessionsRequest:
    """Reads which page of sessions the query of the URL asks for."""
    return _from_texts(ListSessionsRequest, dict(request.query_params))


def imported_state(request: Request, content: bytes, _rules: BodyRules) -> ImportStateRequest:
    """Reads the body as it is, and the revision that the query of the URL asks for."""
    return ImportStateRequest(state=content, if_revision=_change_fields(request).if_revision)


def checkpoint_in_path(request: Request, _content: bytes, _rules: BodyRules) -> CheckpointRequest:
    """Reads the name of a checkpoint from the path, and the revision that the query of the URL asks for."""
    revision = _change_fields(request).if_revision
    named = _from_texts(CheckpointRequest, {"name": request.path_params["name"]})
    return named.model_copy(update={"if_revision": revision})


def _change_fields(request: Request) -> ChangeFields:
    return _from_texts(ChangeFields, dict(request.query_params))


def _from_texts(schema: type[Fields], given: dict[str, str]) -> Fields:
    """Reads fields that are text because they are part of a URL; a number is what a text says."""
    return validated(lambda: schema.model_validate_strings(given, strict=False))


class SessionHandlers:
    """Answers requests of one set of sessions."""

    def __init__(self, sessions: SessionLifecycle) -> None:
        self._sessions = sessions

    async def get(self, call: RestCall[None]) -> SessionInfo:
        """Returns where a session stands; this does not extend its life."""
        return await self._sessions.get(call.session_id, call.ctx)

    async def delete(self, call: RestCall[None]) -> Response:
        """Ends a session."""
        await self._sessions.delete(call.session_id, call.ctx)
        return Response(status_code=204, headers=call_headers(call.ctx))

    async def list(self, call: RestCall[ListSessionsRequest]) -> SessionList:
        """Lists the unexpired sessions of the principal by id, in pages of `limit`, after the id `after`."""
        return await self._sessions.list(call.body, call.ctx)

    async def export_state(self, call: RestCall[None]) -> Response:
        """Returns the session's state as opaque bytes, which are valid for its model and its owner."""
        sealed = await self._sessions.export(call.session_id, call.ctx)
        return Response(sealed, media_type=BYTES, headers=call_headers(call.ctx))

    async def delete_checkpoint(self, call: RestCall[CheckpointRequest]) -> SessionInfo:
        """Forgets a checkpoint, with the bytes of its state."""
        return await self._sessions.delete_checkpoint(call.session_id, call.body, call.ctx)

    async def import_state(self, call: RestCall[ImportStateRequest]) -> SessionInfo:
        """Sets the session to such a state."""
        state, revision = call.body.state, call.body.if_revision
        return await self._sessions.restore(call.session_id, state, call.ctx, revision=revision)
