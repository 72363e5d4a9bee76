"""Where lanes deliver to on the event loop: one that gathers ended lanes, one that streams."""

import asyncio
from collections.abc import AsyncIterator, Callable

from nextchar.batch import Outbox
from nextchar.lane import Delivery, Lane


def deliver_on(loop: asyncio.AbstractEventLoop) -> Callable[[Outbox], object]:
    """What an engine calls with a step's deliveries: one hop to the event loop, whoever they are for."""

    def hand_over(outbox: Outbox) -> None:
        for lane, delivery in outbox:
            lane.receiver.receive(lane, delivery)

    return lambda outbox: loop.call_soon_threadsafe(hand_over, outbox)


class Gather:
    """Waits until every one of `num_lanes` lanes is done; the first error ends the wait."""

    def __init__(self, num_lanes: int) -> None:
        self.deliveries: list[list[Delivery]] = [[] for _ in range(num_lanes)]
        self._num_left = num_lanes
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(self, lane: Lane, delivery: Delivery, /) -> None:
        if self._done.done():
            return
        if delivery.error is not None:
            self._done.set_exception(delivery.error)
            return
        self.deliveries[lane.tag].append(delivery)
        self._num_left -= delivery.last
        if self._num_left == 0:
            self._done.set_result(None)

    async def wait(self) -> list[list[Delivery]]:
        """The deliveries of each lane, by tag.

        Raises:
            NextcharError: what a lane failed with.
        """
        await self._done
        return self.deliveries


class Stream:
    """Gives one lane's deliveries as they come."""

    def __init__(self) -> None:
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    def receive(self, _lane: Lane, delivery: Delivery, /) -> None:
        self._deliveries.put_nowait(delivery)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        """Ends after the last delivery.

        Raises:
            NextcharError: what the lane failed with.
        """
        while True:
            delivery = await self._deliveries.get()
            if delivery.error is not None:
                raise delivery.error
            yield delivery
            if delivery.last:
                return
