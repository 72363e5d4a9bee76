"""Maintains the sessions of a store: purges expired ones, counts unexpired ones."""

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
    """Maintains one store; with `replays`, sessions of an unloaded version are not lost."""

    def __init__(self, store: InstrumentedStore, metrics: SessionMetrics, *, replays: bool) -> None:
        self._store, self._metrics, self._replays = store, metrics, replays

    async def run(self) -> None:
        """Purges sessions that expired a while ago and counts the unexpired ones, every few seconds."""
        while True:
            try:
                self._metrics.ended("idle", await self._store.purge(before=time.time() - GRACE_SECONDS))
                self._metrics.set_active(await self._store.count(None, now=time.time()))
            except Unavailable as error:
                logger.warning("the session store cannot be tidied now: %s", error)
            await asyncio.sleep(_TIDY_SECONDS)

    async def count_of(self, model: str, version: str) -> int:
        """Counts the unexpired sessions, of all owners, of a model's version."""
        return await self._store.count_of(model, version, now=time.time())

    def left_behind(self, count: int) -> None:
        """Counts sessions as ended whose version was unloaded."""
        if not self._replays:
            self._metrics.ended("version", count)

    async def leave(self) -> None:
        """Counts and logs the sessions that end with this process, where the store is in its memory."""
        if self._store.durable:
            return
        if count := await self._store.count(None, now=time.time()):
            self._metrics.ended("drain", count)
            logger.warning("%d sessions were in memory only and end with the server", count)
