"""Says whether the server takes new work: ready, not ready, failed or draining."""

import time

from nextchar.errors import SOONEST_SECONDS, Unavailable
from nextchar.repository.served_models import ServedModels


class ServiceLifecycle:
    """Tracks readiness and draining; a server that drains refuses all but the calls of live sessions."""

    def __init__(self, served_models: ServedModels) -> None:
        self._served_models = served_models
        self._gone_by: float | None = None  # monotonic; set once the server drains
        self._failure: str | None = None

    @property
    def ready(self) -> bool:
        """Whether new work is accepted, every model answers and no background task has failed."""
        return self._failure is None and not self.draining and self._served_models.ready

    @property
    def status(self) -> str:
        """The state in a word or a sentence, for the person who asks why the server is not ready."""
        if self.ready:
            return "ok"
        return "draining" if self.draining else self._failure or self._served_models.unready_reason

    def fail(self, reason: str) -> None:
        """Makes the server unready until it is restarted; `reason` is a sentence, the first one is kept."""
        self._failure = self._failure or reason

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
