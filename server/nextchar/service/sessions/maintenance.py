"""Maintains the sessions of a store: forgets expired ones, counts unexpired ones, looks at its clock."""

import asyncio
import logging

from nextchar.errors import NextcharError
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.base import GRACE_SECONDS
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.session_metrics import SessionMetrics

_TIDY_SECONDS = 15.0

logger = logging.getLogger(__name__)


class SessionMaintenance:
    """Maintains one store; with `replays`, sessions of an unloaded version are not lost."""

    def __init__(
        self, store: InstrumentedStore, clock: StoreClock, metrics: SessionMetrics, *, replays: bool
    ) -> None:
        self._store, self._clock, self._metrics, self._replays = store, clock, metrics, replays

    async def run(self) -> None:
        """Tidies the store every few seconds, whatever becomes of each time."""
        while True:
            try:
                await self.tidy()
            except NextcharError as error:
                logger.warning("the session store cannot be tidied now: %s", error)
            except Exception:
                logger.exception("the session store could not be tidied; it is tried again")
            await asyncio.sleep(_TIDY_SECONDS)

    async def tidy(self) -> None:
        """Forgets sessions that expired a while ago, and counts those that have ended and that have not."""
        await self._clock.look()
        now = await self._clock.now()
        tidied = await self._store.tidy(now=now, before=now - GRACE_SECONDS)
        self._metrics.ended("idle", tidied.num_expired)
        self._metrics.ended("evicted", tidied.num_evicted)
        self._metrics.set_active(await self._store.count(None, now=now))

    async def count_of(self, model: str, version: str) -> int:
        """Counts the unexpired sessions, of all owners, of a model's version."""
        return await self._store.count_of(model, version, now=await self._clock.now())

    def left_behind(self, count: int) -> None:
        """Counts sessions as ended whose version was unloaded."""
        if not self._replays:
            self._metrics.ended("version", count)

    async def leave(self) -> None:
        """Counts and logs the sessions that end with this process, where the store is in its memory."""
        if self._store.durable:
            return
        if count := await self._store.count(None, now=await self._clock.now()):
            self._metrics.ended("drain", count)
            logger.warning("%d sessions were in memory only and end with the server", count)
