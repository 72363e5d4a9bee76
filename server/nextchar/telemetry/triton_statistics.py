"""Sums up the requests of each model since the server started, for Triton's statistics extension.

Only sums are kept: the difference of two readings gives the means between them.
"""

import time
from dataclasses import dataclass, field

from nextchar.telemetry.request_context import RequestContext

_MILLISECONDS = 1000


@dataclass(slots=True)
class Duration:
    """A number of events and their total seconds."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


@dataclass(slots=True)
class ModelStatistics:
    """The statistics of one model version.

    `num_inferences` counts the strings and completions of successful requests; `last_ms` is Unix time.
    """

    num_inferences: int = 0
    last_ms: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)

    def add(self, ctx: RequestContext, seconds: float) -> None:
        """Counts a successful request; its time outside the queue and the tensors is inference."""
        self.num_inferences += ctx.num_inferences
        self.success.add(seconds)
        self.queue.add(ctx.queue_seconds)
        self.compute_input.add(ctx.input_seconds)
        self.compute_output.add(ctx.output_seconds)
        rest = seconds - ctx.queue_seconds - ctx.input_seconds - ctx.output_seconds
        self.compute_infer.add(max(0.0, rest))


class Statistics:
    """Keeps the statistics of every model version that has had a request."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], ModelStatistics] = {}

    def of(self, name: str, version: str) -> ModelStatistics:
        """Returns the statistics of a model version; they are zero before its first request."""
        return self._models.get((name, version)) or ModelStatistics()

    def add(self, ctx: RequestContext, seconds: float, *, success: bool) -> None:
        """Counts a request that ended; skips one that ran no lane or found no model."""
        if not ctx.version or (success and not ctx.num_inferences):
            return
        found = self._models.setdefault((ctx.model, ctx.version), ModelStatistics())
        found.last_ms = int(time.time() * _MILLISECONDS)
        if success:
            found.add(ctx, seconds)
        else:
            found.fail.add(seconds)
