"""Feeds sessions by the project's own client, blocking and not, over REST and gRPC."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from random import Random
from typing import Any

from benchmarks.drills.doubled.ledger import Gone, Ledger, Plan, Refused, Unknown, feed_all
from nextchar.client import AsyncClient, Client
from nextchar.errors import (
    NextcharError,
    OutcomeUnknown,
    SessionEvicted,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
)

_TIMEOUT_SECONDS = 10.0
_NUM_THREADS = 16
_Run = Callable[..., Awaitable[Any]]  # how a call of the client is awaited


class _OwnDoor:
    """One session as `nextchar.client` calls it, on two servers in turn by a session object for each."""

    def __init__(self, clients: Sequence[Any], model: str, run: _Run, draw: Random) -> None:
        self._clients, self._model, self._run, self._draw = clients, model, run, draw
        self._sessions: list[Any] = []
        self._server = 0

    async def begin(self) -> str:
        self._sessions = [None] * len(self._clients)
        self._server = self._draw.randrange(len(self._clients))
        with _outcomes():
            made = await self._run(self._clients[self._server].session, model=self._model, keep=True)
        self._sessions[self._server] = made
        session_id: str = made.session_id
        return session_id

    async def feed(self, piece: str, revision: int, *, again: bool) -> int:  # noqa: ARG002
        if not again:  # a client that is in doubt goes on with the object that knows of it
            self._server = self._draw.randrange(len(self._clients))
        with _outcomes():
            session = await self._session()
            answer = await self._run(session.feed, piece, returns="none")
        found: int = answer.revision
        return found

    async def look(self) -> int:
        with _outcomes():
            found: int = (await self._run((await self._session()).info)).revision
        return found

    async def _session(self) -> Any:
        if self._sessions[self._server] is None:
            known = next(session for session in self._sessions if session is not None)
            opened = await self._run(self._clients[self._server].open_session, known.session_id)
            self._sessions[self._server] = opened
        return self._sessions[self._server]


@contextmanager
def _outcomes() -> Generator[None]:
    try:
        yield
    except (SessionNotFound, SessionExpired, SessionEvicted) as error:
        raise Gone(error.code) from error
    except (OutcomeUnknown, SessionMoved) as error:
        raise Unknown(error.code) from error
    except NextcharError as error:
        raise Refused(error.code) from error


async def _awaited(call: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
    return await call(*given, **named)


async def feed_by_async(plan: Plan, urls: Sequence[Sequence[str]], model: str) -> Ledger:
    """Feeds by AsyncClient.

    `urls` are the addresses of the servers in each protocol; sessions take the protocols in turn.
    """
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        clients = [
            [
                await stack.enter_async_context(AsyncClient(url, timeout_seconds=_TIMEOUT_SECONDS))
                for url in of_protocol
            ]
            for of_protocol in urls
        ]
        doors = [
            _OwnDoor(clients[number % len(clients)], model, _awaited, plan.random(-1 - number))
            for number in range(plan.num_sessions)
        ]
        await feed_all(plan, doors, ledger)
    return ledger


async def feed_by_blocking(plan: Plan, urls: Sequence[Sequence[str]], model: str) -> Ledger:
    """Feeds by Client, in threads; otherwise as `feed_by_async`."""
    ledger = Ledger()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_NUM_THREADS))
    with ExitStack() as stack:
        clients = [
            [stack.enter_context(Client(url, timeout_seconds=_TIMEOUT_SECONDS)) for url in of_protocol]
            for of_protocol in urls
        ]
        doors = [
            _OwnDoor(clients[number % len(clients)], model, asyncio.to_thread, plan.random(-1 - number))
            for number in range(plan.num_sessions)
        ]
        await feed_all(plan, doors, ledger)
    return ledger
