"""Deliveries reach the event loop in order, and work on it is done in parts that others run between."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from itertools import count

import numpy as np
import pytest
from support.engine_lanes import SECONDS

from nextchar.engine.cooperative import run_cooperatively
from nextchar.engine.deliveries import GatherReceiver, StreamReceiver, deliver_on
from nextchar.engine.lane import Lane
from nextchar.engine.work import Delivery, FinishReason, Work
from nextchar.errors import DeadlineExceeded, InternalError, NextcharError

NOTHING = np.empty(0, dtype=np.int64)


def delivery(*ids: int, finish: FinishReason | None = None, error: NextcharError | None = None) -> Delivery:
    return Delivery(np.array(ids, dtype=np.int64), np.zeros(len(ids)), finish=finish, error=error)


def last(*ids: int) -> Delivery:
    return delivery(*ids, finish=FinishReason.LENGTH)


def in_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Makes a test of a coroutine, which runs in an event loop of its own."""

    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), SECONDS))

    return run


class Seen:
    """Notes what it receives, and on which thread."""

    def __init__(self) -> None:
        self.got: list[tuple[Work, Delivery]] = []
        self.threads: set[int] = set()

    def receive(self, work: Work, delivery: Delivery, /) -> None:
        self.got.append((work, delivery))
        self.threads.add(threading.get_ident())


@in_loop
async def test_all_deliveries_of_a_call_arrive_with_their_work() -> None:
    seen, other = Seen(), Seen()
    lanes = [Lane(NOTHING, receiver=receiver) for receiver in (seen, other, seen)]
    outbox = list(zip(lanes, [delivery(1), delivery(2), last(3)], strict=True))
    engine = threading.Thread(target=deliver_on(asyncio.get_running_loop()), args=(outbox,))
    engine.start()
    engine.join()
    assert seen.got == []  # the engine's thread runs no receiver
    await asyncio.sleep(0)
    assert seen.got == [outbox[0], outbox[2]]
    assert other.got == [outbox[1]]
    assert seen.threads == {threading.get_ident()}


@in_loop
async def test_gathering_ends_with_the_last_delivery_of_the_last_lane() -> None:
    receiver = GatherReceiver(2)
    waiting = asyncio.ensure_future(receiver.wait())
    lanes = [Lane(NOTHING, tag=tag) for tag in range(2)]
    parts = [delivery(1), delivery(2), last(3), delivery(4)]
    for lane, part in zip([lanes[1], lanes[0], lanes[1], lanes[0]], parts, strict=True):
        receiver.receive(lane, part)
        await asyncio.sleep(0)
        assert not waiting.done()
    end = last()
    receiver.receive(lanes[0], end)
    assert await waiting == [[parts[1], parts[3], end], [parts[0], parts[2]]]


@in_loop
async def test_gathering_ends_with_the_first_error() -> None:
    receiver, first = GatherReceiver(3), DeadlineExceeded("the first")
    lane = Lane(NOTHING)
    receiver.receive(lane, last(1))
    receiver.receive(lane, delivery(error=first))
    receiver.receive(lane, delivery(error=InternalError("the second")))
    receiver.receive(lane, last(2))
    with pytest.raises(NextcharError) as caught:
        await receiver.wait()
    assert caught.value is first
    assert len(receiver.deliveries[0]) == 1  # nothing is kept that nobody will read


@in_loop
async def test_a_stream_has_every_delivery_in_order_and_ends_with_the_last_lane() -> None:
    receiver = StreamReceiver(2)
    lanes = [Lane(NOTHING, tag=tag) for tag in (7, 8)]
    sent = [(lanes[0], delivery(1)), (lanes[1], last(2)), (lanes[0], delivery(3)), (lanes[0], last(4))]
    for lane, part in sent:
        receiver.receive(lane, part)
    assert [found async for found in receiver] == [(lane.tag, part) for lane, part in sent]


@in_loop
async def test_a_stream_ends_with_an_error_after_what_came_before_it() -> None:
    receiver, error, lane = StreamReceiver(2), InternalError("broken"), Lane(NOTHING)
    for part in (delivery(1), delivery(error=error), delivery(2)):
        receiver.receive(lane, part)
    found = aiter(receiver)
    _, first = await anext(found)
    assert first.ids.tolist() == [1]
    with pytest.raises(InternalError) as caught:
        await anext(found)
    assert caught.value is error


@in_loop
async def test_other_tasks_run_once_between_two_slices_and_the_result_comes_back() -> None:
    order: list[str] = []

    def work() -> Generator[None, None, str]:
        for _ in range(3):
            order.append("part")
            yield
        return "result"

    async def other() -> None:
        for _ in range(4):
            order.append("other")
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    assert await run_cooperatively(work(), clock=count().__next__) == "result"
    await beside
    assert order == ["part", "other"] * 3 + ["other"]


@in_loop
async def test_what_nobody_takes_is_joined_and_nothing_of_it_is_lost() -> None:
    receiver = StreamReceiver(2)
    lanes = [Lane(NOTHING, tag=tag) for tag in range(2)]
    for k in range(1000):
        tops = np.array([[k, k + 1]], dtype=np.int32)
        part = Delivery(np.array([k]), np.array([-float(k)]), tops, tops.astype(np.float32))
        receiver.receive(lanes[0], part)
        receiver.receive(lanes[1], delivery(k))
    receiver.receive(lanes[0], last(1000))
    receiver.receive(lanes[1], last(1000))
    found: list[list[Delivery]] = [[], []]
    async for tag, part in receiver:
        found[tag].append(part)
    for parts in found:
        assert len(parts) <= 65
        assert np.concatenate([part.ids for part in parts]).tolist() == list(range(1001))
        assert [part.finish for part in parts if part.last] == [FinishReason.LENGTH]
        assert parts[-1].last
    tops = [part.top_ids for part in found[0] if part.top_ids is not None]
    assert np.concatenate(tops).tolist() == [[k, k + 1] for k in range(1000)]
    assert all(part.top_ids is None for part in found[1])


@in_loop
async def test_an_error_comes_after_what_was_joined_before_it() -> None:
    receiver, lane = StreamReceiver(1), Lane(NOTHING)
    for k in range(200):
        receiver.receive(lane, delivery(k))
    receiver.receive(lane, delivery(error=InternalError("broken")))
    seen: list[int] = []

    async def take() -> None:
        async for _, part in receiver:
            seen.extend(part.ids.tolist())

    with pytest.raises(InternalError):
        await take()
    assert seen == list(range(200))
