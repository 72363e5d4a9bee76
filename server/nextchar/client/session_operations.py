"""Describes the calls of one session."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nextchar.client.arguments import (
    ChangeArguments,
    FeedArguments,
    Returns,
    SampleArguments,
    SessionNextArguments,
    SessionScoreArguments,
)
from nextchar.client.operations import A, Operation, given, streamed
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import (
    FeedResponse,
    SessionCompletion,
    SessionDeleted,
    SessionInfo,
    SessionNextResponse,
    SessionState,
)


class SessionOperations:
    """Makes the operations of the session with an id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id

    def get(self) -> Operation[SessionInfo]:
        return self._operation("Get", "", {}, SessionInfo, http_method="GET", repeatable=True)

    def delete(self) -> Operation[SessionDeleted]:
        return self._operation("Delete", "", {}, SessionDeleted, http_method="DELETE")

    def feed(self, text: str, returns: Returns, arguments: FeedArguments) -> Operation[FeedResponse]:
        return self._operation("Feed", "/feed", {"text": text, "return": returns, **arguments}, FeedResponse)

    def next_(self, arguments: SessionNextArguments) -> Operation[SessionNextResponse]:
        return self._operation("Next", "/next", arguments, SessionNextResponse, repeatable=True)

    def sample(self, arguments: SampleArguments, *, stream: bool) -> Operation[SessionCompletion]:
        fields = streamed(arguments) if stream else arguments
        return self._operation("Sample", "/sample", fields, SessionCompletion)

    def score(self, strings: list[str], arguments: SessionScoreArguments) -> Operation[ScoreResponse]:
        fields = {"input": strings, **arguments}
        return self._operation("Score", "/score", fields, ScoreResponse, repeatable=True)

    def fork(self, session_id: str | None) -> Operation[SessionInfo]:
        return self._operation("Fork", "/fork", {"session_id": session_id}, SessionInfo)

    def checkpoint(self, name: str, arguments: ChangeArguments) -> Operation[SessionInfo]:
        return self._operation("Checkpoint", "/checkpoint", {"name": name, **arguments}, SessionInfo)

    def rollback(self, name: str, arguments: ChangeArguments) -> Operation[SessionInfo]:
        return self._operation("Rollback", "/rollback", {"name": name, **arguments}, SessionInfo)

    def rewind(self, num_chars: int, arguments: ChangeArguments) -> Operation[SessionInfo]:
        return self._operation("Rewind", "/rewind", {"num_chars": num_chars, **arguments}, SessionInfo)

    def renew(self, ttl_seconds: float | None) -> Operation[SessionInfo]:
        fields = {"ttl_seconds": ttl_seconds}
        return self._operation("Renew", "/renew", fields, SessionInfo, repeatable=True)

    def export_state(self) -> Operation[SessionState]:
        return self._operation("ExportState", "/state", {}, SessionState, http_method="GET", repeatable=True)

    def import_state(self, state: bytes) -> Operation[SessionInfo]:
        return self._operation("ImportState", "/state", {}, SessionInfo, http_method="PUT", content=state)

    def _operation(
        self,
        rpc: str,
        path: str,
        fields: Mapping[str, Any],
        answer_type: type[A],
        *,
        http_method: str = "POST",
        repeatable: bool = False,
        content: bytes | None = None,
    ) -> Operation[A]:
        return Operation(
            http_method,
            f"/v1/sessions/{quote(self.session_id, safe='')}{path}",
            f"Sessions/{rpc}",
            given(fields),
            answer_type,
            repeatable,
            self.session_id,
            content,
        )
