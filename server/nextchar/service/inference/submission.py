"""Submits a request's work to its model's engines, and waits for all that it delivers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nextchar.engine.deliveries import GatherReceiver
from nextchar.engine.work import Delivery, Work
from nextchar.repository.model import Model
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


@contextmanager
def submitted(model: Model, works: Sequence[Work], ctx: RequestContext) -> Iterator[None]:
    """Submits work of a request, on its key's budget; cancels it when the context ends early.

    Raises:
        InvalidRequest, RateLimited: the key's budget does not allow it.
        QueueFull, Unavailable: the engine does not accept it.
    """
    for work in works:
        work.deadline, work.priority = ctx.deadline, ctx.priority
    budget, num_chars = ctx.principal.budget, sum(work.num_steps for work in works)
    budget.begin_work(len(works), num_chars, time.monotonic())
    num_unused = num_chars
    try:
        model.engine.submit(works)
        num_unused = 0
        ctx.on_wait()
        try:
            yield
        except BaseException:  # also GeneratorExit, from a client that has left
            model.engine.cancel(works)
            raise
    finally:
        budget.end_work(len(works), num_unused, time.monotonic())


async def run_to_end(
    model: Model, works: Sequence[Work], *, ctx: RequestContext, metrics: Metrics
) -> list[list[Delivery]]:
    """Submits work and returns each one's deliveries when all have ended; cancels it with the task.

    Raises:
        InvalidRequest, RateLimited, QueueFull, Unavailable: the work was not accepted; see `submitted`.
        DeadlineExceeded, InternalError: it did not finish.
    """
    gather = GatherReceiver(len(works))
    for tag, work in enumerate(works):
        work.receiver, work.tag = gather, tag
    with submitted(model, works, ctx):
        deliveries = await gather.wait()
    num_strings = sum(work.num_strings for work in works)
    metrics.observe_queue(ctx, max(work.joined - work.submitted for work in works), num_strings=num_strings)
    ctx.ran(min(work.submitted for work in works), min(work.joined for work in works))
    return deliveries
