"""What is done for all sessions of a store: old ones are forgotten, live ones counted."""

import asyncio
import logging
import time

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import GRACE_SECONDS
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.session_metrics import SessionMetrics

_TIDY_SECONDS = 15.0

logger = logging.getLogger(__name__)


class SessionMaintenance:
    """Over one store. `replays`: sessions whose version was let go are not lost."""

    def __init__(self, store: InstrumentedStore, metrics: SessionMetrics, *, replays: bool) -> None:
        self._store, self._metrics, self._replays = store, metrics, replays

    async def run(self) -> None:
        """Now and then, forget the sessions that expired a while ago, and count the live ones."""
        while True:
            try:
                self._metrics.ended("idle", await self._store.purge(before=time.time() - GRACE_SECONDS))
                self._metrics.set_active(await self._store.count(None, now=time.time()))
            except Unavailable as error:
                logger.warning("the session store cannot be tidied now: %s", error)
            await asyncio.sleep(_TIDY_SECONDS)

    async def count_of(self, model: str, version: str) -> int:
        """How many sessions, of all owners, go on with a version."""
        return await self._store.count_of(model, version, now=time.time())

    def left_behind(self, count: int) -> None:
        """So many sessions were of a version that was let go."""
        if not self._replays:
            self._metrics.ended("version", count)

    async def leave(self) -> None:
        """The server stops: sessions that are nowhere but in this process end with it."""
        if self._store.durable:
            return
        if count := await self._store.count(None, now=time.time()):
            self._metrics.ended("drain", count)
            logger.warning("%d sessions were in memory only and end with the server", count)
