"""Defines the session of a client: a text on the server that is read and continued step by step."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, suppress
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


class AsyncSessionCaller(Protocol):
    """What a session needs of its client."""

    async def execute(self, operation: Operation[A]) -> A: ...

    def execute_stream(self, operation: Operation[C]) -> AsyncGenerator[C]: ...


class AsyncSession(AbstractAsyncContextManager["AsyncSession"]):
    """One session. As a context manager it is deleted at the end, unless it is kept.

    `opened` is what the server said of it when it was created or opened.
    """

    def __init__(self, client: AsyncSessionCaller, opened: SessionInfo, *, keep: bool) -> None:
        self.opened, self.keep = opened, keep
        self._client, self._operations = client, SessionOperations(opened.session_id)

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return self.opened.session_id

    async def __aexit__(self, *_: object) -> None:
        if not self.keep:
            with suppress(SessionNotFound, SessionExpired):  # it has ended already
                await self.delete()

    async def info(self) -> SessionInfo:
        """Returns the position, the revision and what else the server knows of the session."""
        return await self._client.execute(self._operations.get())

    async def feed(
        self, text: str, *, returns: Returns = "last", **arguments: Unpack[FeedArguments]
    ) -> FeedResponse:
        """Reads a text; returns the distribution after its last character, after each, or none."""
        return await self._client.execute(self._operations.feed(text, returns, arguments))

    async def next(self, **arguments: Unpack[SessionNextArguments]) -> SessionNextResponse:
        """Returns the distribution of the next character."""
        return await self._client.execute(self._operations.next_(arguments))

    async def sample(self, **arguments: Unpack[SampleArguments]) -> SessionCompletion:
        """Samples a continuation; the session moves to its end."""
        return await self._client.execute(self._operations.sample(arguments, stream=False))

    def stream(self, **arguments: Unpack[SampleArguments]) -> AsyncGenerator[SessionCompletion]:
        """Samples a continuation and yields it as it is sampled."""
        return self._client.execute_stream(self._operations.sample(arguments, stream=True))

    async def score(self, strings: list[str], **arguments: Unpack[SessionScoreArguments]) -> ScoreResponse:
        """Scores each string as a continuation; the session does not move."""
        return await self._client.execute(self._operations.score(strings, arguments))

    async def fork(self, session_id: str | None = None, *, keep: bool = False) -> "AsyncSession":
        """Creates a second session at the same position."""
        opened = await self._client.execute(self._operations.fork(session_id))
        return AsyncSession(self._client, opened, keep=keep)

    async def checkpoint(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Names the position, for `rollback`."""
        return await self._client.execute(self._operations.checkpoint(name, arguments))

    async def rollback(self, name: str, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Returns to a named position."""
        return await self._client.execute(self._operations.rollback(name, arguments))

    async def rewind(self, num_chars: int, **arguments: Unpack[ChangeArguments]) -> SessionInfo:
        """Takes back the last characters."""
        return await self._client.execute(self._operations.rewind(num_chars, arguments))

    async def renew(self, ttl_seconds: float | None = None) -> SessionInfo:
        """Extends the life of the session by its time to live, or by another one from now on."""
        return await self._client.execute(self._operations.renew(ttl_seconds))

    async def export_state(self) -> bytes:
        """Returns the sealed state, for `import_state` on this server or another."""
        return (await self._client.execute(self._operations.export_state())).state

    async def import_state(self, state: bytes) -> SessionInfo:
        """Replaces the state by an exported one."""
        return await self._client.execute(self._operations.import_state(state))

    async def delete(self) -> None:
        """Deletes the session."""
        await self._client.execute(self._operations.delete())
