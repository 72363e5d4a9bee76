"""Counts sessions and the calls to their store."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry

from nextchar.telemetry.metric_registry import counter, gauge, histogram
from nextchar.telemetry.metric_table import CAUSES, OPS, RESULTS
from nextchar.telemetry.request_context import CURRENT_REQUEST

_MAX_SEEN = 8192

Cause = Literal["end", "idle", "evicted", "drain", "version", "error"]
Result = Literal["hit", "restored", "missing", "expired"]


class SessionMetrics:
    """Counts session events where they happen; no label names a session or its owner."""

    def __init__(self, registry: CollectorRegistry) -> None:
        r = registry
        self._active = gauge("nextchar_sessions_active", r)
        self._created = counter("nextchar_sessions_created_total", r)
        self._ended = counter("nextchar_sessions_ended_total", r)
        self._lookups = counter("nextchar_session_lookups_total", r)
        self._conflicts = counter("nextchar_session_conflicts_total", r)
        self._bytes = histogram("nextchar_session_state_bytes", r)
        self._age = histogram("nextchar_session_age_seconds", r)
        self._steps = histogram("nextchar_session_steps", r)
        self._replayed = counter("nextchar_sessions_replayed_total", r)
        self._store = histogram("nextchar_state_store_duration_seconds", r)
        self._store_errors = counter("nextchar_state_store_errors_total", r)
        self._clock_skew = gauge("nextchar_session_store_clock_skew_seconds", r)
        for cause in CAUSES:
            self._ended.labels(cause)
        for result in RESULTS:
            self._lookups.labels(result)
        for op in OPS:  # so that a rate of errors is 0 before the first one, not unknown
            self._store_errors.labels(op)
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._broken: OrderedDict[tuple[str, str, float], None] = OrderedDict()

    def set_active(self, count: int) -> None:
        self._active.set(count)

    def set_clock_skew(self, seconds: float) -> None:
        self._clock_skew.set(seconds)

    def created(self) -> None:
        self._created.inc()

    def ended(self, cause: Cause, count: int = 1) -> None:
        self._ended.labels(cause).inc(count)

    def broke(self, owner: str, session_id: str, created: float) -> None:
        """Counts a session as ended by an error, once, however often it is asked for."""
        session = owner, session_id, created
        if session not in self._broken:
            self._broken[session] = None
            self.ended("error")
            if len(self._broken) > _MAX_SEEN:
                self._broken.popitem(last=False)

    def ended_at(self, age_seconds: float, num_steps: int) -> None:
        self.ended("end")
        self._age.observe(age_seconds)
        self._steps.observe(num_steps)

    def replayed(self) -> None:
        self._replayed.inc()

    def looked_up(self, result: Result) -> None:
        self._lookups.labels(result).inc()

    def found(self, owner: str, session_id: str) -> None:
        """Counts a lookup that found a session: `hit` if this server saw it lately, else `restored`."""
        self.looked_up("hit" if (owner, session_id) in self._seen else "restored")
        self.saw(owner, session_id)

    def saw(self, owner: str, session_id: str) -> None:
        """Remembers that this server has made or found a session; keeps the last few thousand."""
        self._seen[owner, session_id] = None
        self._seen.move_to_end((owner, session_id))
        if len(self._seen) > _MAX_SEEN:
            self._seen.popitem(last=False)

    def conflict(self) -> None:
        self._conflicts.inc()

    def written(self, num_bytes: int) -> None:
        self._bytes.observe(num_bytes)

    @contextmanager
    def timed(self, op: str) -> Iterator[None]:
        """Counts the duration and the failure of a call to the store."""
        started = time.monotonic()
        try:
            yield
        except Exception:
            self._store_errors.labels(op).inc()
            raise
        finally:
            ended = time.monotonic()
            self._store.labels(op).observe(ended - started)
            ctx = CURRENT_REQUEST.get()
            if ctx is not None and ctx.trace is not None:
                ctx.trace.stage(f"store {op}", started, ended)
