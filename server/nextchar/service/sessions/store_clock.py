"""Reads the clock of the session store without a call for each look."""

import logging
import time

from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.telemetry.session_metrics import SessionMetrics

_FRESH_SECONDS = 60.0  # for which a look at the store's clock is gone on from; the upkeep looks more often
_TOLD_SECONDS = 5.0  # between the store's clock and this machine's, from which on it is told

logger = logging.getLogger(__name__)


class StoreClock:
    """Shows the store's time in Unix seconds: as it was at the last look, and what has passed since."""

    def __init__(self, store: InstrumentedStore, metrics: SessionMetrics) -> None:
        self._store, self._metrics = store, metrics
        self._ahead: float | None = None  # of this process's monotonic clock
        self._looked = 0.0
        self._has_told = False

    async def now(self) -> float:
        """Returns the time; raises Unavailable if the store has to be asked and does not answer."""
        if self._ahead is None or time.monotonic() - self._looked > _FRESH_SECONDS:
            await self.look()
        assert self._ahead is not None
        return time.monotonic() + self._ahead

    async def look(self) -> None:
        """Looks at the store's clock, and notes how far this machine's differs from it."""
        before = time.monotonic()
        shown = await self._store.time()
        self._looked = time.monotonic()
        self._ahead = shown - (before + self._looked) / 2
        skew = time.time() - (self._looked + self._ahead)
        self._metrics.set_clock_skew(skew)
        if abs(skew) < _TOLD_SECONDS:
            self._has_told = False
        elif not self._has_told:
            self._has_told = True
            logger.warning(
                "this machine's clock is %.0f s %s that of the session store; sessions expire by the store's",
                abs(skew),
                "ahead of" if skew > 0 else "behind",
            )
