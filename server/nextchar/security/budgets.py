"""Limits what a key may use: lanes at a time, requests and characters per second. Time is an argument."""

from dataclasses import dataclass

from nextchar.errors import InvalidRequest, RateLimited

_BURST_SECONDS = 1.0  # a bucket holds its rate times this
_MEMORY_SECONDS = 10.0
_UNKNOWN_SECONDS = 1.0  # the time to wait when nothing has been measured


@dataclass(frozen=True, slots=True)
class Allowance:
    """Holds the limits of a key; None is no limit."""

    max_lanes: int | None = None
    requests_per_second: float | None = None
    chars_per_second: float | None = None


class TokenBucket:
    """Limits a rate; it holds one second of it. A request that finds it not empty may take more than that.

    So a request larger than the bucket is served, and later ones wait for the debt to be refilled.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._held = self._most = max(1.0, rate * _BURST_SECONDS)
        self._filled = float("-inf")

    def take(self, count: float, now: float) -> float:
        """Takes `count` and returns 0, or returns the seconds until something can be taken."""
        self._held = min(self._most, self._held + (now - self._filled) * self._rate)
        self._filled = now
        if self._held >= min(count, 1.0):
            self._held -= count
            return 0.0
        return (min(count, 1.0) - self._held) / self._rate

    def give_back(self, count: float) -> None:
        """Returns what was taken and not used to the bucket."""
        self._held = min(self._most, self._held + count)


class Budget:
    """Counts what a key uses of its allowance."""

    def __init__(self, allowance: Allowance, *, key_id: str = "") -> None:
        self._allowance, self._key_id = allowance, key_id
        self._requests = _bucket(allowance.requests_per_second)
        self._chars = _bucket(allowance.chars_per_second)
        self.num_lanes = 0
        self._num_ended, self._seconds, self._ended_at = 0.0, 0.0, 0.0

    def begin_request(self, now: float) -> None:
        """Counts a request.

        Raises:
            RateLimited: the key has sent too many.
        """
        wait = self._requests.take(1, now) if self._requests else 0.0
        if wait:
            rate = self._allowance.requests_per_second
            raise self._limited(f"may send {rate:g} requests per second", wait)

    def begin_work(self, num_lanes: int, num_chars: int, now: float) -> None:
        """Counts lanes, and the most characters that they may run.

        Raises:
            InvalidRequest: the request needs more lanes than the key may have.
            RateLimited: the key has too many lanes, or has used too many characters.
        """
        limit = self._allowance.max_lanes
        if limit is not None and num_lanes > limit:
            raise InvalidRequest(
                f"the request needs {num_lanes} lanes, more than the {limit} of its key; send it in parts",
                code="too_many_items",
            )
        if limit is not None and self.num_lanes + num_lanes > limit:
            more = self.num_lanes + num_lanes - limit
            raise self._limited(
                f"may have {limit} lanes at a time ({self.num_lanes} are running)", self._freed(more)
            )
        wait = self._chars.take(num_chars, now) if self._chars else 0.0
        if wait:
            rate = self._allowance.chars_per_second
            raise self._limited(f"may use {rate:g} characters per second", wait)
        if self.num_lanes == 0:
            self._ended_at = now
        self.num_lanes += num_lanes

    def end_work(self, num_lanes: int, num_unused_chars: int, now: float) -> None:
        """Counts lanes that have ended, and returns the characters they did not use."""
        if self._chars:
            self._chars.give_back(num_unused_chars)
        self.num_lanes -= num_lanes
        passed, self._ended_at = now - self._ended_at, now
        keep = max(0.0, 1 - passed / _MEMORY_SECONDS)
        self._num_ended = self._num_ended * keep + num_lanes
        self._seconds = self._seconds * keep + passed

    def _freed(self, num_lanes: int) -> float:
        """Estimates the seconds until this many lanes have ended, from how fast they ended recently."""
        return num_lanes * self._seconds / self._num_ended if self._num_ended else _UNKNOWN_SECONDS

    def _limited(self, why: str, wait_seconds: float) -> RateLimited:
        return RateLimited(f"the key {self._key_id} {why}", retry_after_seconds=wait_seconds)


def _bucket(rate: float | None) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate)
