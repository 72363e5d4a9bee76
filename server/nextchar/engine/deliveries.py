"""Receives deliveries on the event loop: gathers them until all work has ended, or streams them."""

import asyncio
from collections.abc import AsyncIterator, Callable

from nextchar.engine.work import Delivery, Outbox, Work


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
    """Streams the deliveries of `count` lanes as they come, each with its lane's tag."""

    def __init__(self, count: int) -> None:
        self._num_left = count
        self._deliveries: asyncio.Queue[tuple[int, Delivery]] = asyncio.Queue()

    def receive(self, work: Work, delivery: Delivery, /) -> None:
        self._deliveries.put_nowait((work.tag, delivery))

    async def __aiter__(self) -> AsyncIterator[tuple[int, Delivery]]:
        """Yields until the last delivery of the last lane.

        Raises:
            NextcharError: the error of the first lane that failed.
        """
        while self._num_left:
            tag, delivery = await self._deliveries.get()
            if delivery.error is not None:
                raise delivery.error
            self._num_left -= delivery.last
            yield tag, delivery
