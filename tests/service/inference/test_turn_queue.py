"""Owners take turns at one resource, one job at a time; who has no room is told when it has."""

import asyncio
from collections.abc import Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.service.inference.turn_queue import TurnQueue


class Work:
    """Jobs that a test ends, and the order in which they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.num_running = self.most_running = 0

    async def __call__(self, job: str) -> None:
        self.ran.append(job)
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        await asyncio.sleep(0)
        self.num_running -= 1


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(work)


async def settle(queue: TurnQueue[str]) -> None:
    while queue._running is not None:
        await asyncio.sleep(0)


def test_one_job_of_another_owner_waits_for_one_job_of_many() -> None:
    async def work() -> None:
        done = Work()
        queue = TurnQueue(done, max_jobs=8, first_seconds=1.0)
        for number in range(5):
            queue.add("many", f"m{number}")
        queue.add("one", "o")
        await settle(queue)
        assert done.ran == ["m0", "o", "m1", "m2", "m3", "m4"]
        assert done.most_running == 1

    run(work())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=20))
def test_no_owner_gets_two_turns_while_another_waits(jobs: list[tuple[str, int]]) -> None:
    async def work() -> None:
        done = Work()
        queue = TurnQueue(done, max_jobs=99, first_seconds=1.0)
        for owner, number in jobs:
            queue.add(owner, f"{owner}{number}")
        await settle(queue)
        left = {owner: [f"{o}{n}" for o, n in jobs if o == owner] for owner in "abc"}
        for owner, following in zip(done.ran, done.ran[1:], strict=False):
            left[owner[0]].remove(owner)
            others = [name for name, rest in left.items() if rest and name != owner[0]]
            assert not others or following[0] != owner[0]
        assert sorted(done.ran) == sorted(f"{o}{n}" for o, n in jobs)

    run(work())


def test_an_owner_has_its_room_and_no_other_ones() -> None:
    async def work() -> None:
        queue = TurnQueue(Work(), max_jobs=2, first_seconds=3.0)
        queue.add("a", "1")
        queue.add("a", "2")
        assert not queue.has_room("a")
        assert queue.has_room("b")
        queue.add("b", "3")
        assert queue.seconds_to_room() == pytest.approx(6.0)  # a's next turn comes after b's, at the latest
        assert queue.remove("a", "2")
        assert queue.has_room("a")
        assert not queue.remove("a", "2")
        await settle(queue)

    run(work())


@given(st.text("bcd", max_size=12))
def test_an_owner_has_room_by_the_time_it_was_told_whatever_the_others_wait_for(others: str) -> None:
    async def work() -> None:
        turn = asyncio.Semaphore(0)

        async def job(_name: str) -> None:
            await turn.acquire()

        queue = TurnQueue(job, max_jobs=99, first_seconds=1.0)
        for owner in f"a{others}":
            queue.add(owner, owner)
        queue._max_jobs = 2
        await asyncio.sleep(0)  # the first job runs
        while queue.has_room("a"):
            queue.add("a", "a")
        told, num_done = queue.seconds_to_room(), 0
        while not queue.has_room("a"):
            turn.release()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            num_done += 1
        assert num_done <= told <= num_done + len(set(others))
        while queue._running is not None:
            turn.release()
            await asyncio.sleep(0)

    run(work())
