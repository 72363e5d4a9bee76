"""Describes the calls of one session."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from nextchar.client.arguments import (
    ChangeArguments,
    FeedArguments,
    Returns,
    RewindArguments,
    SampleArguments,
    SessionNextArguments,
    SessionScoreArguments,
)
from nextchar.client.operations import A, Operation, given, new_session_id, streamed
from nextchar.errors import SessionExists, SessionNotFound
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import (
    FeedResponse,
    SessionCompletion,
    SessionDeleted,
    SessionInfo,
    SessionNextResponse,
    SessionState,
)

Moved = TypeVar("Moved", FeedResponse, SessionCompletion, SessionInfo)  # they say the session's revision


class SessionOperations:
    """Makes the operations of the session with an id, which a proxy may find by another, `routed_by`."""

    def __init__(self, session_id: str, *, routed_by: str | None = None) -> None:
        self.session_id = session_id
        self.routed_by = routed_by or session_id

    def get(self) -> Operation[SessionInfo]:
        return self._operation("Get", "", {}, SessionInfo, http_method="GET")

    def delete(self) -> Operation[SessionDeleted]:
        deletion = self._operation("Delete", "", {}, SessionDeleted, http_method="DELETE")
        return replace(deletion, changes=True, refused_as=SessionNotFound)

    def feed(self, text: str, returns: Returns, arguments: FeedArguments) -> Operation[FeedResponse]:
        return self._change("Feed", "/feed", {"text": text, "return": returns, **arguments}, FeedResponse)

    def next_(self, arguments: SessionNextArguments) -> Operation[SessionNextResponse]:
        return self._operation("Next", "/next", arguments, SessionNextResponse)

    def sample(self, arguments: SampleArguments, *, stream: bool) -> Operation[SessionCompletion]:
        fields = streamed(arguments) if stream else arguments
        return self._change("Sample", "/sample", fields, SessionCompletion)

    def score(self, strings: list[str], arguments: SessionScoreArguments) -> Operation[ScoreResponse]:
        fields = {"input": strings, **arguments}
        return self._operation("Score", "/score", fields, ScoreResponse)

    def fork(self, session_id: str | None) -> Operation[SessionInfo]:
        fields = {"session_id": session_id or new_session_id()}
        fork = self._operation("Fork", "/fork", fields, SessionInfo)
        return replace(fork, changes=True, refused_as=SessionExists)

    def checkpoint(self, name: str, arguments: ChangeArguments) -> Operation[SessionInfo]:
        return self._change("Checkpoint", "/checkpoint", {"name": name, **arguments}, SessionInfo)

    def delete_checkpoint(self, name: str, arguments: ChangeArguments) -> Operation[SessionInfo]:
        path = f"/checkpoints/{quote(name, safe='')}"
        change = self._change("DeleteCheckpoint", path, {"name": name, **arguments}, SessionInfo)
        return replace(change, http_method="DELETE", in_path=frozenset({"name"}))

    def rollback(self, name: str, arguments: ChangeArguments) -> Operation[SessionInfo]:
        return self._change("Rollback", "/rollback", {"name": name, **arguments}, SessionInfo)

    def rewind(self, num_chars: int, arguments: RewindArguments) -> Operation[SessionInfo]:
        return self._change("Rewind", "/rewind", {"num_chars": num_chars, **arguments}, SessionInfo)

    def renew(self, ttl_seconds: float | None) -> Operation[SessionInfo]:
        fields = {"ttl_seconds": ttl_seconds}
        return self._operation("Renew", "/renew", fields, SessionInfo)

    def export_state(self) -> Operation[SessionState]:
        return self._operation("ExportState", "/state", {}, SessionState, http_method="GET")

    def import_state(self, state: bytes, arguments: ChangeArguments) -> Operation[SessionInfo]:
        change = self._change("ImportState", "/state", arguments, SessionInfo)
        return replace(change, http_method="PUT", content=state)

    def _change(self, rpc: str, path: str, fields: Mapping[str, Any], answer_type: type[A]) -> Operation[A]:
        """Makes the operation that moves the session to its next revision."""
        change = replace(self._operation(rpc, path, fields, answer_type), changes=True)
        revision = change.fields.get("if_revision")
        return change if revision is None else change.at(revision)

    def _operation(
        self,
        rpc: str,
        path: str,
        fields: Mapping[str, Any],
        answer_type: type[A],
        *,
        http_method: str = "POST",
    ) -> Operation[A]:
        return Operation(
            http_method,
            f"/v1/sessions/{quote(self.session_id, safe='')}{path}",
            f"Sessions/{rpc}",
            given(fields),
            answer_type,
            session_id=self.session_id,
            routed_by=self.routed_by,
        )
