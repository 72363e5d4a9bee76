# Made of nextchar/client/asynchronous/session.py by `make docs`; change it there.
"""Defines the session of a client: a text on the server that is read and continued step by step."""

from collections.abc import Generator
from contextlib import AbstractContextManager, suppress
from typing import Protocol, Unpack

from nextchar.client.arguments import (
    ChangeArguments,
    FeedArguments,
    Returns,
    SampleArguments,
    SessionNextArguments,
    SessionScoreArguments,
)
from nextchar.client.operations import A, C, Operation
from nextchar.client.session_operations import SessionOperations
from nextchar.errors import SessionExpired, SessionNotFound
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import FeedResponse, SessionCompletion, SessionInfo, SessionNextResponse


class SessionCaller(Protocol):
    """What a session needs of its client."""

    def execute(self, operation: Operation[A]) -> A: ...

    def execute_stream(self, operation: Operation[C]) -> Generator[C]: ...


class Session(AbstractContextManager["Session"]):
    """One session. As a context manager it is deleted at the end, unless it is kept.

    `opened` is what the server said of it when it was created or opened.
    """

    def __init__(self, client: SessionCaller, opened: SessionInfo, *, keep: bool) -> None:
        self.opened, self.keep = opened, keep
        self._client, self._operations = client, SessionOperations(opened.session_id)

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.opened.session_id

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            with suppress(SessionNotFound, SessionExpired):  # it has ended already
                self.delete()

    def info(self) -> SessionInfo:
        """Returns the position, the revision and what else the server knows of the session."""
        return self._client.execute(self._operations.get())

    def feed(
        self, text: str, *, returns: Returns = "last", **arguments: Unpack[FeedArguments]
    ) -> FeedResponse:
        """Reads a text; returns the distribution after its last character, after each, or none."""
        return self._client.execute(self._operations.feed(text, returns, arguments))

    def next(self, **arguments: Unpack[SessionNextArguments]) -> SessionNextResponse:
        """Returns the distribution of the next character."""
        return self._client.execute(self._operations.next_(arguments))

    def sample(self, **arguments: Unpack[SampleArguments]) -> SessionCompletion:
        """Samples a continuation; the session moves to its end."""
        return self._client.execute(self._operations.sample(arguments, stream=False))

    def stream(self, **arguments: Unpack[SampleArguments]) -> Generator[SessionCompletion]:
        """Samples a continuation and yields it as it is sampled."""
        return self._client.execute_stream(self._operations.sample(arguments, stream=True))

    def score(self, strings: list[str], **arguments: Unpack[SessionScoreArguments]) -> ScoreResponse:
        """Scores each string as a continuation; the session does not move."""
        return self._client.execute(self._operations.score(strings, arguments))

    def fork(self, session_id: str | None = None, *, keep: bool = False) -> "Session":
        """Creates a second session at the same position."""
        opened = self._client.execute(self._operations.fork(session_id))
        return Session(self._client, opened, keep=keep)

    def checkpoint(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Names the position, for `rollback`."""
        return self._client.execute(self._operations.checkpoint(name, arguments))

    def rollback(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Returns to a named position."""
        return self._client.execute(self._operations.rollback(name, arguments))

    def rewind(self, num_chars: int, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Takes back the last characters."""
        return self._client.execute(self._operations.rewind(num_chars, arguments))

    def renew(self, ttl_seconds: float | None = None) -> SessionInfo:
        """Extends the life of the session by its time to live, or by another one from now on."""
        return self._client.execute(self._operations.renew(ttl_seconds))

    def export_state(self) -> bytes:
        """Returns the sealed state, for `import_state` on this server or another."""
        return (self._client.execute(self._operations.export_state())).state

    def import_state(self, state: bytes) -> SessionInfo:
        """Replaces the state by an exported one."""
        return self._client.execute(self._operations.import_state(state))

    def delete(self) -> None:
        """Deletes the session."""
        self._client.execute(self._operations.delete())
