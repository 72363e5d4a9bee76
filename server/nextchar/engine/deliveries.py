"""Receives deliveries on the event loop: gathers them until all work has ended, or streams them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import numpy as np

from nextchar.engine.work import Delivery, Outbox, Work

_MOST_WAITING = 64  # deliveries of a lane, before they are joined


def deliver_on(loop: asyncio.AbstractEventLoop) -> Callable[[Outbox], object]:
    """Returns what an engine calls with a call's deliveries: one hop to the event loop for all of them."""

    def hand_over(outbox: Outbox) -> None:
        for work, delivery in outbox:
            work.receiver.receive(work, delivery)

    return lambda outbox: loop.call_soon_threadsafe(hand_over, outbox)


class GatherReceiver:
    """Gathers the deliveries of `count` lanes and jobs until all have ended, or one with an error."""

    def __init__(self, count: int) -> None:
        self.deliveries: list[list[Delivery]] = [[] for _ in range(count)]
        self._num_left = count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(self, work: Work, delivery: Delivery, /) -> None:
        if self._done.done():
            return
        if delivery.error is not None:
            self._done.set_exception(delivery.error)
            return
        self.deliveries[work.tag].append(delivery)
        self._num_left -= delivery.last
        if self._num_left == 0:
            self._done.set_result(None)

    async def wait(self) -> list[list[Delivery]]:
        """Returns the deliveries of each lane or job, by tag.

        Raises:
            NextcharError: the error of the first that failed.
        """
        await self._done
        return self.deliveries


class StreamReceiver:
    """Streams the deliveries of `count` lanes as they come, each with its lane's tag.

    Of a lane whose deliveries nobody takes, many are joined to one: their arrays weigh less than they do.
    """

    def __init__(self, count: int) -> None:
        self._num_left = count
        self._tags: asyncio.Queue[int] = asyncio.Queue()  # by delivery; more often than what was joined
        self._waiting: defaultdict[int, list[Delivery]] = defaultdict(list)  # by tag

    def receive(self, work: Work, delivery: Delivery, /) -> None:
        waiting = self._waiting[work.tag]
        if len(waiting) >= _MOST_WAITING and delivery.error is None:
            waiting[:] = [_joined(waiting)]
        waiting.append(delivery)
        self._tags.put_nowait(work.tag)

    async def __aiter__(self) -> AsyncIterator[tuple[int, Delivery]]:
        """Yields until the last delivery of the last lane.

        Raises:
            NextcharError: the error of the first lane that failed.
        """
        while self._num_left:
            tag = await self._tags.get()
            if not self._waiting[tag]:
                continue
            delivery = self._waiting[tag].pop(0)
            if delivery.error is not None:
                raise delivery.error
            self._num_left -= delivery.last
            yield tag, delivery


def _joined(parts: list[Delivery]) -> Delivery:
    """Joins deliveries of a lane that follow one another."""
    last = parts[-1]
    tops = [(part.top_ids, part.top_logprobs) for part in parts]
    return Delivery(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.logprobs for part in parts]),
        None if last.top_ids is None else np.concatenate([ids for ids, _ in tops if ids is not None]),
        None
        if last.top_ids is None
        else np.concatenate([values for _, values in tops if values is not None]),
        last.finish,
        last.num_stop,
        last.distribution,
        last.error,
    )
