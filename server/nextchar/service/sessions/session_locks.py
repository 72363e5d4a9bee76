"""Serialises the requests on one session in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from nextchar.errors import SessionClosing

Key = tuple[str, str]  # an owner and the id of a session


class SessionLocks:
    """Holds a lock for each session that is in use; those who wait follow in order of arrival."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._closing: set[Key] = set()

    @asynccontextmanager
    async def exclusive(self, key: Key, on_wait: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Holds a session; calls `on_wait` if another request holds it first.

        Raises:
            SessionClosing: the session is being deleted.
        """
        self._check_not_closing(key)
        lock = self._lock(key)
        if lock.locked():
            on_wait()
        async with lock:
            yield

    @asynccontextmanager
    async def closing(self, key: Key) -> AsyncIterator[None]:
        """Holds a session that is deleted, after the requests before; those that come meanwhile are refused.

        Raises:
            SessionClosing: the session is being deleted.
        """
        self._check_not_closing(key)
        self._closing.add(key)
        try:
            async with self._lock(key):
                yield
        finally:
            self._closing.discard(key)

    def _lock(self, key: Key) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def _check_not_closing(self, key: Key) -> None:
        if key in self._closing:
            raise SessionClosing(f"session {key[1]!r} is being deleted", param="session_id")
