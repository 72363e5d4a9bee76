"""Decides whether and when a call is retried."""

import random
from dataclasses import dataclass

from nextchar.client.wire_errors import may_be_done
from nextchar.errors import NextcharError, OutcomeUnknown, QueueFull, Unavailable


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is retried, and how long the client waits before it.

    Calls are retried that the server refused before it did anything (`queue_full`, `draining`,
    `model_not_ready`, `store_unavailable`), and calls that did not reach it. A call whose answer was lost, or
    whose outcome the server does not know, is retried only if it cannot be done twice. The client waits as
    long as the server says and up to a quarter longer, so that many clients do not return at once; if the
    server says nothing, twice as long each time. A call is not retried if the wait would be longer than
    `max_wait_seconds`.
    """

    max_attempts: int = 4
    first_wait_seconds: float = 0.1
    max_wait_seconds: float = 30.0

    def wait_seconds(self, error: NextcharError, *, attempt: int, repeatable: bool) -> float | None:
        """Returns how long to wait after an attempt, counted from 1; None if it was the last one."""
        if attempt >= self.max_attempts or not isinstance(error, QueueFull | Unavailable | OutcomeUnknown):
            return None
        if may_be_done(error) and not repeatable:
            return None
        advised: float | None = getattr(error, "retry_after_seconds", None)  # OutcomeUnknown has none
        wait = self.first_wait_seconds * 2 ** (attempt - 1) if advised is None else advised
        if wait > self.max_wait_seconds:
            return None
        low, high = (0.5, 1.0) if advised is None else (1.0, 1.25)
        return wait * random.uniform(low, high)
