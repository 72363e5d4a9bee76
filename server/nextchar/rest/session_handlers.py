"""Answers requests on sessions that are more than a JSON body: lists, deletions, states as bytes."""

from fastapi import Request, Response

from nextchar.rest.handler import call_headers
from nextchar.rest.route import Extra, RestCall
from nextchar.schemas.base import validated
from nextchar.schemas.sessions import ListSessionsRequest, SessionInfo, SessionList
from nextchar.service.sessions.lifecycle import SessionLifecycle

BYTES = "application/octet-stream"


def list_query(request: Request, _content: bytes, _extra: Extra) -> ListSessionsRequest:
    """Reads the page that the URL asks for."""
    given = dict(request.query_params)
    return validated(lambda: ListSessionsRequest.model_validate_strings(given))


def state_bytes(_request: Request, content: bytes, _extra: Extra) -> bytes:
    """Reads the body as it is."""
    return content


class SessionHandlers:
    """Handlers over one set of sessions."""

    def __init__(self, sessions: SessionLifecycle) -> None:
        self._sessions = sessions

    async def get(self, call: RestCall[None]) -> SessionInfo:
        """Where a session stands."""
        return await self._sessions.get(call.session_id, call.ctx)

    async def delete(self, call: RestCall[None]) -> Response:
        """End a session."""
        await self._sessions.delete(call.session_id, call.ctx)
        return Response(status_code=204, headers=_headers(call))

    async def list(self, call: RestCall[ListSessionsRequest]) -> SessionList:
        """The caller's live sessions by id, a page at a time: `after` an id, `limit` of them."""
        return await self._sessions.list(call.body, call.ctx)

    async def export_state(self, call: RestCall[None]) -> Response:
        """The session's state as opaque bytes, for its model and its owner."""
        sealed = await self._sessions.export(call.session_id, call.ctx)
        return Response(sealed, media_type=BYTES, headers=_headers(call))

    async def import_state(self, call: RestCall[bytes]) -> SessionInfo:
        """Put the session where such bytes say."""
        return await self._sessions.restore(call.session_id, call.body, call.ctx)


def _headers(call: RestCall[None]) -> dict[str, str]:
    return {**call_headers(call.ctx), "X-Session-Id": call.session_id}
