# Made of nextchar/client/asynchronous/session.py by `make docs`; change it there.
"""Defines the session of a client: a text on the server that is read and continued step by step."""

from collections.abc import Generator
from contextlib import AbstractContextManager, closing, suppress
from itertools import count
from threading import Lock
from typing import Protocol, Unpack

from nextchar.client.arguments import (
    ChangeArguments,
    FeedArguments,
    Returns,
    RewindArguments,
    SampleArguments,
    SessionNextArguments,
    SessionScoreArguments,
)
from nextchar.client.attempts import GONE
from nextchar.client.known_revision import KnownRevision
from nextchar.client.operations import A, C, Operation
from nextchar.client.session_operations import Moved, SessionOperations
from nextchar.errors import NextcharError, OutcomeUnknown, SessionExists, SessionMoved
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import FeedResponse, SessionCompletion, SessionInfo, SessionNextResponse


class SessionCaller(Protocol):
    """What a session needs of its client."""

    def execute(self, operation: Operation[A]) -> A: ...

    def execute_stream(self, operation: Operation[C]) -> Generator[C]: ...


def create(client: SessionCaller, operation: Operation[SessionInfo], *, is_own_id: bool) -> SessionInfo:
    """Creates a session; if its id is the client's own, one that exists was made by an attempt before."""
    try:
        return client.execute(operation)
    except OutcomeUnknown as error:
        if not is_own_id or not isinstance(error.__cause__, SessionExists):
            raise
        return client.execute(SessionOperations(operation.fields["session_id"]).get())


class Session(AbstractContextManager["Session"]):
    """One session. As a context manager it is deleted at the end, unless it is kept.

    `opened` is what the server said of it when it was created or opened. Calls that move the session are made
    one after the other, each from the revision that was heard last; so they are sent again when an answer is
    lost, and never done twice.

    Raises:
        OutcomeUnknown: a call may have been done, or most likely was.
        SessionMoved: the session is not at the `if_revision` given, or an earlier call, whose outcome was
            unknown, has moved it after all.
    """

    def __init__(
        self, client: SessionCaller, opened: SessionInfo, *, keep: bool, routed_by: str | None = None
    ) -> None:
        self.opened, self.keep = opened, keep
        self._client, self._operations = client, SessionOperations(opened.session_id, routed_by=routed_by)
        self._known, self._lock = KnownRevision(opened.revision), Lock()

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.opened.session_id

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            with suppress(*GONE):  # it has ended already
                self.delete()

    def info(self) -> SessionInfo:
        """Returns the position, the revision and what else the server knows of the session."""
        info = self._client.execute(self._operations.get())
        self._known.heard(info.revision)
        return info

    def feed(
        self, text: str, *, returns: Returns = "last", **arguments: Unpack[FeedArguments]
    ) -> FeedResponse:
        """Reads a text; returns the distribution after its last character, after each, or none."""
        return self._move(self._operations.feed(text, returns, arguments))

    def next(self, **arguments: Unpack[SessionNextArguments]) -> SessionNextResponse:
        """Returns the distribution of the next character."""
        answer = self._client.execute(self._operations.next_(arguments))
        self._known.heard(answer.revision)
        return answer

    def sample(self, **arguments: Unpack[SampleArguments]) -> SessionCompletion:
        """Samples a continuation; the session moves to its end."""
        return self._move(self._operations.sample(arguments, stream=False))

    def stream(self, **arguments: Unpack[SampleArguments]) -> Generator[SessionCompletion]:
        """Samples a continuation and yields it as it is sampled; closing the generator ends the call.

        Other calls may be made meanwhile; the server does them when the stream has ended.
        """
        operation = self._operations.sample(arguments, stream=True)
        for attempt in count(1):
            try:
                with self._known.sending(operation, attempt) as sent:
                    stream = self._client.execute_stream(sent)
                    with closing(stream) as parts:
                        for part in parts:
                            self._known.heard(part.revision)
                            yield part
                return
            except SessionMoved as error:
                self._follow(operation, sent, error)
            except OutcomeUnknown as error:
                self._look_after(error)
                raise

    def score(self, strings: list[str], **arguments: Unpack[SessionScoreArguments]) -> ScoreResponse:
        """Scores each string as a continuation; the session does not move."""
        return self._client.execute(self._operations.score(strings, arguments))

    def fork(self, session_id: str | None = None, *, keep: bool = False) -> "Session":
        """Creates a second session at the same position."""
        operation = self._operations.fork(session_id)
        opened = create(self._client, operation, is_own_id=session_id is None)
        # A fork is on the server of its origin, where a proxy that hashes names finds it by that name.
        return Session(self._client, opened, keep=keep, routed_by=self._operations.routed_by)

    def checkpoint(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Names the position, for `rollback`."""
        return self._move(self._operations.checkpoint(name, arguments))

    def delete_checkpoint(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Forgets a named position, with the bytes of its state."""
        return self._move(self._operations.delete_checkpoint(name, arguments))

    def rollback(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Returns to a named position."""
        return self._move(self._operations.rollback(name, arguments))

    def rewind(self, num_chars: int, **arguments: Unpack[RewindArguments]) -> SessionInfo:
        """Takes back the last characters."""
        return self._move(self._operations.rewind(num_chars, arguments))

    def renew(self, ttl_seconds: float | None = None) -> SessionInfo:
        """Extends the life of the session by its time to live, or by another one from now on."""
        return self._client.execute(self._operations.renew(ttl_seconds))

    def export_state(self) -> bytes:
        """Returns the sealed state, for `import_state` on this server or another."""
        return (self._client.execute(self._operations.export_state())).state

    def import_state(self, state: bytes, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Replaces the state by an exported one."""
        return self._move(self._operations.import_state(state, arguments))

    def delete(self) -> None:
        """Deletes the session."""
        try:
            self._client.execute(self._operations.delete())
        except OutcomeUnknown as error:
            if not isinstance(error.__cause__, GONE):  # else an attempt whose answer was lost has deleted it
                raise

    def _move(self, operation: Operation[Moved]) -> Moved:
        """Makes a call that moves the session, from the revision that was heard last."""
        with self._lock:
            for attempt in count(1):
                try:
                    with self._known.sending(operation, attempt) as sent:
                        answer = self._client.execute(sent)
                except SessionMoved as error:
                    self._follow(operation, sent, error)
                except OutcomeUnknown as error:
                    self._look_after(error)
                    raise
                else:
                    self._known.heard(answer.revision)
                    return answer
        raise AssertionError("unreachable: a call without if_revision is not refused")

    def _follow(self, operation: Operation[A], sent: Operation[A], refusal: SessionMoved) -> None:
        """Learns where the session is now, for the call to be sent again from there.

        Raises:
            SessionMoved: the user gave the revision, or an earlier call may be what moved the session.
        """
        if "if_revision" in operation.fields:
            raise refusal
        is_doubted = self._known.is_doubted(sent)
        self._known.learned((self._client.execute(self._operations.get())).revision)
        if is_doubted:
            text = "an earlier call, whose outcome was unknown, was most likely done; this one was not"
            raise SessionMoved(f"{refusal.message}: {text}", param=refusal.param) from refusal

    def _look_after(self, unknown: OutcomeUnknown) -> None:
        """Learns where the session is, if it has moved, so that the next call goes on from there."""
        if isinstance(unknown.__cause__, SessionMoved):
            with suppress(NextcharError):  # the next call finds out by itself
                self._known.learned((self._client.execute(self._operations.get())).revision)
