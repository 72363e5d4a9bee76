"""What a key may use up: lanes at a time, requests and characters a second. Pure: time is an argument."""

from dataclasses import dataclass

from nextchar.errors import InvalidRequest, RateLimited

_BURST_SECONDS = 1.0  # of its rate, that a bucket holds
_MEMORY_SECONDS = 10.0
_UNKNOWN_SECONDS = 1.0  # said where nothing has been measured


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of a key; None is no limit."""

    max_lanes: int | None = None
    requests_per_second: float | None = None
    chars_per_second: float | None = None


class TokenBucket:
    """Fills at a rate, holds a second of it. Whoever finds it not empty takes all it needs, into debt.

    So a request larger than the bucket is served, and paid for by those after it.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._held = self._most = max(1.0, rate * _BURST_SECONDS)
        self._filled = float("-inf")

    def take(self, count: float, now: float) -> float:
        """0 if it was taken, else the seconds until something can be."""
        self._held = min(self._most, self._held + (now - self._filled) * self._rate)
        self._filled = now
        if self._held >= min(count, 1.0):
            self._held -= count
            return 0.0
        return (min(count, 1.0) - self._held) / self._rate

    def give_back(self, count: float) -> None:
        """What was taken and not used."""
        self._held = min(self._most, self._held + count)


class Budget:
    """What a key has used of its allowance."""

    def __init__(self, allowance: Allowance, *, key_id: str = "") -> None:
        self._allowance, self._key_id = allowance, key_id
        self._requests = _bucket(allowance.requests_per_second)
        self._chars = _bucket(allowance.chars_per_second)
        self.num_lanes = 0
        self._num_ended, self._seconds, self._ended_at = 0.0, 0.0, 0.0

    def begin_request(self, now: float) -> None:
        """Count a request.

        Raises:
            RateLimited: there were too many lately.
        """
        wait = self._requests.take(1, now) if self._requests else 0.0
        if wait:
            rate = self._allowance.requests_per_second
            raise self._limited(f"has a budget of {rate:g} requests a second", wait)

    def begin_work(self, num_lanes: int, num_chars: int, now: float) -> None:
        """Count lanes and the characters they may come to.

        Raises:
            InvalidRequest: one request has more lanes than the key may ever have.
            RateLimited: too many run, or there were too many characters lately.
        """
        limit = self._allowance.max_lanes
        if limit is not None and num_lanes > limit:
            raise InvalidRequest(
                f"the request has {num_lanes} lanes; the key may have {limit}", code="too_many_items"
            )
        if limit is not None and self.num_lanes + num_lanes > limit:
            more = self.num_lanes + num_lanes - limit
            raise self._limited(f"may have {limit} lanes at a time, {self.num_lanes} run", self._freed(more))
        wait = self._chars.take(num_chars, now) if self._chars else 0.0
        if wait:
            rate = self._allowance.chars_per_second
            raise self._limited(f"has a budget of {rate:g} characters a second", wait)
        if self.num_lanes == 0:
            self._ended_at = now
        self.num_lanes += num_lanes

    def end_work(self, num_lanes: int, num_unused_chars: int, now: float) -> None:
        """These lanes have ended."""
        if self._chars:
            self._chars.give_back(num_unused_chars)
        self.num_lanes -= num_lanes
        passed, self._ended_at = now - self._ended_at, now
        keep = max(0.0, 1 - passed / _MEMORY_SECONDS)
        self._num_ended = self._num_ended * keep + num_lanes
        self._seconds = self._seconds * keep + passed

    def _freed(self, num_lanes: int) -> float:
        """When so many lanes will have ended, by how fast they did lately."""
        return num_lanes * self._seconds / self._num_ended if self._num_ended else _UNKNOWN_SECONDS

    def _limited(self, why: str, wait_seconds: float) -> RateLimited:
        return RateLimited(f"the key {self._key_id} {why}", retry_after_seconds=wait_seconds)


def _bucket(rate: float | None) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate)
