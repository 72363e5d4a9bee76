"""Asks Valkey and tells what became of it: answered, refused, not reached, or not known.

A read may be asked again. A write is sent at most twice, and the script that it runs finds out whether it was
done: what is then still not known is said, and never done anew.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import BusyLoadingError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnection

from nextchar.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")
_OPEN_SECONDS = 1.0  # after a failure, for which all calls fail at once
MAX_CALLS = 64  # at a time, each on a connection of its own; the client's pool has room for them
_SLOT_SECONDS = 2.0  # for which a call waits for its turn
_SENDS = 2  # of one write

logger = logging.getLogger(__name__)


class Written(NamedTuple):
    """What a script answered, and whether it may have run before, with an answer that was lost."""

    answer: int
    was_repeated: bool


class ValkeyLink:
    """Holds the client of one address; gives it up for a second when it does not answer."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._down_until, self._num_moves = 0.0, 0  # how often the server that takes writes was another one
        self._slots = asyncio.Semaphore(MAX_CALLS)

    async def ask(self, read: Callable[[], Awaitable[T]]) -> T:
        """Makes calls that change nothing, or nothing the second time.

        Raises:
            Unavailable: the store does not answer, refuses the call, or did not answer a moment ago.
        """
        async with self._slot():
            try:
                return await read()
            except ReadOnlyError as error:
                await self._leave_replica()
                raise _refused(error) from error
            except ResponseError as error:
                raise _refused(error) from error
            except (RedisError, OSError) as error:
                raise self._failed(error) from error

    async def write(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Written:
        """Runs a script that changes something.

        Raises:
            Unavailable: nothing was done: the store was not reached, or refused it.
            OutcomeUnknown: it was sent, and no answer came.
        """
        async with self._slot():
            in_doubt = False
            for attempt in range(1, _SENDS + 1):
                try:
                    connection = await self.client.connection_pool.get_connection()
                except (RedisError, OSError) as error:
                    raise self._failed(error, in_doubt=in_doubt) from error
                num_moves = self._num_moves
                try:
                    return Written(await _run(connection, script, keys, arguments), in_doubt)
                except (RedisError, OSError) as error:
                    if _is_of_replica(error):
                        await self._leave_replica()
                    in_doubt = in_doubt or not _is_refusal(error)
                    if attempt == _SENDS or not _may_pass(error):
                        raise self._not_done(error, in_doubt=in_doubt) from error
                finally:
                    if num_moves != self._num_moves:
                        await connection.disconnect()
                    await self.client.connection_pool.release(connection)
        raise AssertionError

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Waits for a turn. That there are many calls says nothing of the store's health."""
        self._check_up()
        try:
            async with asyncio.timeout(_SLOT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable("the session store is busy", code="store_unavailable") from None
        try:
            self._check_up()
            yield
        finally:
            self._slots.release()

    def _check_up(self) -> None:
        if time.monotonic() < self._down_until:
            raise Unavailable("the session store did not answer a moment ago", code="store_unavailable")

    async def _leave_replica(self) -> None:
        """Closes the connections, which are to a server that is no longer the one that takes writes.

        Those in use are closed when their writes end: closed before, they fail with errors that say nothing
        of connections.
        """
        logger.warning("the session store takes no writes; it is connected to anew")
        self._num_moves += 1
        await self.client.connection_pool.disconnect(inuse_connections=False)

    def _not_done(self, error: Exception, *, in_doubt: bool) -> Unavailable | OutcomeUnknown:
        if in_doubt or not isinstance(error, ResponseError):
            return self._failed(error, in_doubt=in_doubt)
        return _refused(error)

    def _failed(self, error: Exception, *, in_doubt: bool = False) -> Unavailable | OutcomeUnknown:
        """Gives the store up for a moment; returns the error of a call that got no answer."""
        self._down_until = time.monotonic() + _OPEN_SECONDS
        logger.warning("the session store does not answer: %s", error)
        if in_doubt:
            return OutcomeUnknown("the session store did not confirm the change")
        return Unavailable("the session store does not answer", code="store_unavailable")


async def _run(connection: Any, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> int:
    """Sends a script over a connection and returns its answer."""
    await connection.send_command("EVAL", script, len(keys), *keys, *arguments)
    return int(await connection.read_response())


def _refused(error: Exception) -> Unavailable:
    return Unavailable(f"the session store refuses: {error}", code="store_unavailable")


def _is_of_replica(error: Exception) -> bool:
    """Whether a server refused a write because it is a replica; the client of sentinels hides that."""
    return isinstance(error, ReadOnlyError) or isinstance(error.__context__, ReadOnlyError)


def _is_refusal(error: Exception) -> bool:
    """Whether the server has answered that it did nothing."""
    return isinstance(error, ResponseError | BusyLoadingError) or _is_of_replica(error)


def _may_pass(error: Exception) -> bool:
    """Whether a second try can help: on another connection, and at once."""
    if isinstance(error, BusyLoadingError):
        return False
    return isinstance(error, NoConnection) or _is_of_replica(error)
