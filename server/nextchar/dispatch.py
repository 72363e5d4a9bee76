"""Work to a model's engines and back, for answers that are given whole."""

import time
from collections.abc import Sequence

from nextchar.call import Call
from nextchar.lane import Delivery, Work
from nextchar.metrics import Metrics
from nextchar.receivers import Gather
from nextchar.repository import Model


async def run_to_end(
    model: Model, works: Sequence[Work], *, call: Call, metrics: Metrics
) -> list[list[Delivery]]:
    """Run work to its end, each one's deliveries in order; if the caller leaves, so does the work.

    Raises:
        QueueFull, Unavailable, DeadlineExceeded, InternalError: it was not taken, or not finished.
    """
    gather = Gather(len(works))
    for tag, work in enumerate(works):
        work.receiver, work.deadline, work.tag = gather, call.deadline, tag
    model.engine.submit(works)
    try:
        deliveries = await gather.wait()
    except BaseException:
        model.engine.cancel(works)
        raise
    num_strings = sum(work.num_strings for work in works)
    metrics.observe_queue(call, max(work.joined - work.submitted for work in works), num_strings=num_strings)
    call.inference_seconds += time.monotonic() - min(work.joined for work in works)
    return deliveries
