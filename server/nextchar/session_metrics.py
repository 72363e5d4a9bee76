"""What is measured of sessions and of their store."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nextchar.engine_stats import DURATION_BUCKETS

_BYTES_BUCKETS = tuple(256 * 4.0**k for k in range(10))
_AGE_BUCKETS = (1, 10, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)

Cause = Literal["end", "idle"]
Result = Literal["hit", "missing", "expired"]


class SessionMetrics:
    """Observed where it happens; no label names a session or its owner."""

    def __init__(self, registry: CollectorRegistry) -> None:
        r = registry
        self._active = Gauge("nextchar_sessions_active", "Live sessions in the store.", registry=r)
        self._created = Counter("nextchar_sessions_created", "Sessions made, forks too.", registry=r)
        self._ended = Counter("nextchar_sessions_ended", "Sessions ended, by cause.", ("cause",), registry=r)
        self._lookups = Counter("nextchar_session_lookups", "By result.", ("result",), registry=r)
        self._conflicts = Counter(
            "nextchar_session_conflicts", "Changes that came after another server's.", registry=r
        )
        self._bytes = Histogram(
            "nextchar_session_state_bytes",
            "Of a session as it was written.",
            buckets=_BYTES_BUCKETS,
            registry=r,
        )
        self._age = Histogram(
            "nextchar_session_age_seconds",
            "Of a session that is ended.",
            buckets=_AGE_BUCKETS,
            registry=r,
        )
        self._store = Histogram(
            "nextchar_state_store_duration_seconds",
            "Of a call of the store, by operation.",
            ("op",),
            buckets=DURATION_BUCKETS,
            registry=r,
        )
        for cause in ("end", "idle"):
            self._ended.labels(cause)
        for result in ("hit", "missing", "expired"):
            self._lookups.labels(result)

    def set_active(self, count: int) -> None:
        self._active.set(count)

    def created(self) -> None:
        self._created.inc()

    def ended(self, cause: Cause, count: int = 1) -> None:
        self._ended.labels(cause).inc(count)

    def ended_at(self, age_seconds: float) -> None:
        self.ended("end")
        self._age.observe(age_seconds)

    def looked_up(self, result: Result) -> None:
        self._lookups.labels(result).inc()

    def conflict(self) -> None:
        self._conflicts.inc()

    def written(self, num_bytes: int) -> None:
        self._bytes.observe(num_bytes)

    @contextmanager
    def timed(self, op: str) -> Iterator[None]:
        """Around a call of the store."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._store.labels(op).observe(time.perf_counter() - started)
