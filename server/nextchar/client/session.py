"""Sessions of a client, blocking and not. As context managers they end at the end, unless they are kept."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from typing import Literal, Protocol, Unpack

from nextchar.client.operations import A, C, Operation, SamplingArguments, ScoreArguments, SessionOperations
from nextchar.errors import SessionExpired, SessionNotFound
from nextchar.schemas.score import ScoreResponse
from nextchar.schemas.sessions import FeedResponse, SessionCompletion, SessionInfo, SessionNextResponse

Returns = Literal["last", "each", "none"]


class SessionClient(Protocol):
    """What a session needs of its client."""

    def ask(self, ask: Operation[A]) -> A: ...

    def pieces(self, ask: Operation[C]) -> Generator[C]: ...


class AsyncSessionClient(Protocol):
    """What a session needs of its client."""

    async def ask(self, ask: Operation[A]) -> A: ...

    def pieces(self, ask: Operation[C]) -> AsyncGenerator[C]: ...


class Session(AbstractContextManager["Session"]):
    """A text that goes on from where it was. `made` is what the server said when it was opened."""

    def __init__(self, client: SessionClient, made: SessionInfo, *, keep: bool) -> None:
        self.made, self.keep = made, keep
        self._client, self._asks = client, SessionOperations(made.session_id)

    @property
    def session_id(self) -> str:
        return self.made.session_id

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            with suppress(SessionNotFound, SessionExpired):  # it has ended already
                self.delete()

    def info(self) -> SessionInfo:
        """Where it stands."""
        return self._client.ask(self._asks.get())

    def feed(self, text: str, *, returns: Returns = "last", top: int | None = None) -> FeedResponse:
        """Characters that came; what may come next."""
        return self._client.ask(self._asks.feed(text, returns, top))

    def next(self, *, top: int | None = None) -> SessionNextResponse:
        """The distribution of the next character."""
        return self._client.ask(self._asks.next_(top))

    def sample(self, **arguments: Unpack[SamplingArguments]) -> SessionCompletion:
        """Characters drawn from here; the session moves past them."""
        return self._client.ask(self._asks.sample(arguments, stream=False))

    def stream(self, **arguments: Unpack[SamplingArguments]) -> Generator[SessionCompletion]:
        """The same, as they are drawn."""
        return self._client.pieces(self._asks.sample(arguments, stream=True))

    def score(self, strings: list[str], **arguments: Unpack[ScoreArguments]) -> ScoreResponse:
        """log p of each string as a continuation; the session stays."""
        return self._client.ask(self._asks.score(strings, arguments))

    def fork(self, session_id: str | None = None, *, keep: bool = False) -> "Session":
        """A second session at the same place."""
        return Session(self._client, self._client.ask(self._asks.fork(session_id)), keep=keep)

    def checkpoint(self, name: str) -> SessionInfo:
        """Give the place a name."""
        return self._client.ask(self._asks.checkpoint(name))

    def rollback(self, name: str) -> SessionInfo:
        """Back to a named place."""
        return self._client.ask(self._asks.rollback(name))

    def rewind(self, num_chars: int) -> SessionInfo:
        """Take characters back."""
        return self._client.ask(self._asks.rewind(num_chars))

    def export_state(self) -> bytes:
        """The state, sealed, for `import_state` here or elsewhere."""
        return self._client.ask(self._asks.export()).state

    def import_state(self, state: bytes) -> SessionInfo:
        """Go to where exported bytes say."""
        return self._client.ask(self._asks.restore(state))

    def delete(self) -> None:
        """End it."""
        self._client.ask(self._asks.delete())


class AsyncSession(AbstractAsyncContextManager["AsyncSession"]):
    """`Session` without blocking."""

    def __init__(self, client: AsyncSessionClient, made: SessionInfo, *, keep: bool) -> None:
        self.made, self.keep = made, keep
        self._client, self._asks = client, SessionOperations(made.session_id)

    @property
    def session_id(self) -> str:
        return self.made.session_id

    async def __aexit__(self, *_: object) -> None:
        if not self.keep:
            with suppress(SessionNotFound, SessionExpired):  # it has ended already
                await self.delete()

    async def info(self) -> SessionInfo:
        """Where it stands."""
        return await self._client.ask(self._asks.get())

    async def feed(self, text: str, *, returns: Returns = "last", top: int | None = None) -> FeedResponse:
        """Characters that came; what may come next."""
        return await self._client.ask(self._asks.feed(text, returns, top))

    async def next(self, *, top: int | None = None) -> SessionNextResponse:
        """The distribution of the next character."""
        return await self._client.ask(self._asks.next_(top))

    async def sample(self, **arguments: Unpack[SamplingArguments]) -> SessionCompletion:
        """Characters drawn from here; the session moves past them."""
        return await self._client.ask(self._asks.sample(arguments, stream=False))

    def stream(self, **arguments: Unpack[SamplingArguments]) -> AsyncGenerator[SessionCompletion]:
        """The same, as they are drawn."""
        return self._client.pieces(self._asks.sample(arguments, stream=True))

    async def score(self, strings: list[str], **arguments: Unpack[ScoreArguments]) -> ScoreResponse:
        """log p of each string as a continuation; the session stays."""
        return await self._client.ask(self._asks.score(strings, arguments))

    async def fork(self, session_id: str | None = None, *, keep: bool = False) -> "AsyncSession":
        """A second session at the same place."""
        return AsyncSession(self._client, await self._client.ask(self._asks.fork(session_id)), keep=keep)

    async def checkpoint(self, name: str) -> SessionInfo:
        """Give the place a name."""
        return await self._client.ask(self._asks.checkpoint(name))

    async def rollback(self, name: str) -> SessionInfo:
        """Back to a named place."""
        return await self._client.ask(self._asks.rollback(name))

    async def rewind(self, num_chars: int) -> SessionInfo:
        """Take characters back."""
        return await self._client.ask(self._asks.rewind(num_chars))

    async def export_state(self) -> bytes:
        """The state, sealed, for `import_state` here or elsewhere."""
        return (await self._client.ask(self._asks.export())).state

    async def import_state(self, state: bytes) -> SessionInfo:
        """Go to where exported bytes say."""
        return await self._client.ask(self._asks.restore(state))

    async def delete(self) -> None:
        """End it."""
        await self._client.ask(self._asks.delete())
