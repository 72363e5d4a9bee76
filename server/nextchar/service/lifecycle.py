"""Whether the server takes new work: ready, not ready, or draining."""

import time

from nextchar.errors import SOONEST_SECONDS, Unavailable
from nextchar.repository.served_models import ServedModels


class ServiceLifecycle:
    """Tracks readiness and draining; refuses new work once the server drains."""

    def __init__(self, served_models: ServedModels) -> None:
        self._served_models = served_models
        self._gone_by: float | None = None  # monotonic; set once the server drains

    @property
    def ready(self) -> bool:
        """Whether new work is accepted and every model answers."""
        return not self.draining and self._served_models.ready

    @property
    def draining(self) -> bool:
        """Whether the server finishes what runs and accepts no new work."""
        return self._gone_by is not None

    def drain(self, timeout_seconds: float) -> None:
        """Stops accepting new work; running work has up to `timeout_seconds` to end."""
        self._gone_by = time.monotonic() + timeout_seconds

    def check_accepting(self) -> None:
        """Raises Unavailable (code `draining`) when the server accepts no new work.

        Its `retry_after_seconds` is when a replacement may be up: when the running work is done, or its time
        is over.
        """
        if self._gone_by is None:
            return
        left = min(self._served_models.seconds_left(), self._gone_by - time.monotonic())
        raise Unavailable(
            "the server is shutting down; try another replica",
            code="draining",
            retry_after_seconds=max(SOONEST_SECONDS, left),
        )
