"""What requests took, summed up for each model since the server began: what Triton's statistics tell.

Only sums are kept: who asks twice has the means between.
"""

import time
from dataclasses import dataclass, field

from nextchar.request_context import RequestContext

_MILLISECONDS = 1000


@dataclass(slots=True)
class Duration:
    """How often, and seconds in all."""

    count: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


@dataclass(slots=True)
class ModelStatistics:
    """`num_inferences` counts strings and completions of requests that succeeded, `last_ms` is Unix time."""

    num_inferences: int = 0
    last_ms: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)

    def add(self, ctx: RequestContext, seconds: float) -> None:
        """Count a request that succeeded; what was neither waiting nor tensors was inference."""
        self.num_inferences += ctx.num_inferences
        self.success.add(seconds)
        self.queue.add(ctx.queue_seconds)
        self.compute_input.add(ctx.input_seconds)
        self.compute_output.add(ctx.output_seconds)
        rest = seconds - ctx.queue_seconds - ctx.input_seconds - ctx.output_seconds
        self.compute_infer.add(max(0.0, rest))


class Statistics:
    """Those of every model and version that was asked for something."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], ModelStatistics] = {}

    def of(self, name: str, version: str) -> ModelStatistics:
        """A model's; all zero before its first request."""
        return self._models.get((name, version)) or ModelStatistics()

    def add(self, ctx: RequestContext, seconds: float, *, success: bool) -> None:
        """Count a call that ended; nothing for one that ran no lane, or found no model."""
        if not ctx.version or (success and not ctx.num_inferences):
            return
        found = self._models.setdefault((ctx.model, ctx.version), ModelStatistics())
        found.last_ms = int(time.time() * _MILLISECONDS)
        if success:
            found.add(ctx, seconds)
        else:
            found.fail.add(seconds)
