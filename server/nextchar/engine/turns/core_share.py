"""Shares the cores of a process between its engines and its event loop. Pure: time is an argument.

There is an engine for each core, and the event loop needs one of them, for a fraction of the time. So the
last engine is *spare*: while live requests are served it gives way, and at all other times it computes. Lower
priorities of threads do not do this: a thread that holds the interpreter and is not running stops all others.

A container's CPU limit is time, not cores. Once its threads have used up the time of a period (100 ms), all
of them are stopped to the period's end, the event loop too. So engines rest before that, for a moment each.
"""

import threading

_LIVE_SECONDS = 0.02  # after a live request; a client that types or asks again has the next one under way
_EXPECTED_SECONDS = 1.0  # after a live request, in which others are expected
_SHARE = 0.25  # the least part of the time that a spare engine's other work has beside live requests
_BURST_SECONDS = 0.002  # of each core, that engines may be ahead of the limit


class CoreShare:
    """Says when engines are to rest. All engines of a process have one, and its threads may share it."""

    def __init__(self, num_cores: int | None = None, limit_cores: float | None = None) -> None:
        """Shares `num_cores`, of which a container's CPU limit may allow `limit_cores`.

        Without a number of cores no engine is spare: for a process that has no event loop to answer from.
        """
        self._first_spare = None if num_cores is None else max(1, num_cores - 1)
        self._limit = limit_cores
        self._live_at = -1e9
        self._lock = threading.Lock()
        self._credit = self._now = self._used = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether engines may have to rest for a CPU limit; only then `owed_seconds` may be called."""
        return self._limit is not None

    def is_spare(self, number: int) -> bool:
        """Returns whether an engine, numbered from 0, gives way to live requests; the first never does."""
        return self._first_spare is not None and number >= self._first_spare

    def take(self, now: float) -> None:
        """Notes that a live request is served."""
        self._live_at = now

    def seconds_since_live(self, now: float) -> float:
        """Returns how long ago a live request was served."""
        return now - self._live_at

    def slowness(self, number: int, now: float) -> float:
        """Returns how much longer work takes on an engine, which may have to make way for live requests."""
        is_slow = self.is_spare(number) and self.seconds_since_live(now) < _EXPECTED_SECONDS
        return 1 / _SHARE if is_slow else 1.0

    def makes_way_seconds(self, call_seconds: float, now: float) -> float:
        """Returns how long a spare engine makes way after a call that was not for a live request."""
        is_live = self.seconds_since_live(now) < _LIVE_SECONDS
        return call_seconds * (1 - _SHARE) / _SHARE if is_live else 0.0

    def owed_seconds(self, now: float, used_seconds: float) -> float:
        """Returns how long an engine must rest for the process to stay within the CPU limit.

        `used_seconds` is the processor time of the process so far. The time that others use, as the event
        loop, is not refused, but deducted from what is left to engines.
        """
        assert self._limit is not None
        with self._lock:
            earned, spent = (now - self._now) * self._limit, used_seconds - self._used
            self._now, self._used = now, used_seconds
            self._credit = min(self._credit + earned - spent, self._limit * _BURST_SECONDS)
            return max(0.0, -self._credit / self._limit)
