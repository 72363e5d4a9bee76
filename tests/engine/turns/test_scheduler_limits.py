"""The queues are those of a plain list, and what they refuse is told how long to wait."""

import numpy as np
import pytest
from support.engine_lanes import interactive, job, reserve_nothing, sampling, scheduler

from nextchar.engine.turns.scheduler import Scheduler
from nextchar.engine.work import UNLIMITED, Level, Work
from nextchar.errors import NextcharError, QueueFull


class Plain:
    """The same rules on one plain list of all work that waits."""

    def __init__(self, max_lanes: int, max_sampling: int, max_waiting: int, max_wait_seconds: float) -> None:
        self.works: list[Work] = []
        self.max_lanes, self.max_sampling, self.max_waiting = max_lanes, max_sampling, max_waiting
        self.max_wait_seconds = max_wait_seconds

    def num_strings(self, works: list[Work], level: Level) -> int:
        return sum(work.num_strings for work in works if work.level is level)

    def add(self, works: list[Work]) -> bool:
        levels = {work.level for work in works}
        if any(self.num_strings(self.works + works, level) > self.max_waiting for level in levels):
            return False
        self.works += works
        return True

    def queue(self, level: Level) -> list[Work]:
        return sorted((work for work in self.works if work.level is level), key=lambda work: work.priority)

    def take(self, level: Level, count: int) -> list[Work]:
        taken = self.queue(level)[: max(0, count)]
        self.works = [work for work in self.works if work not in taken]
        return taken

    def admit_lanes(self, num_interactive: int, num_sampling: int) -> list[Work]:
        free = self.max_lanes - num_interactive - num_sampling
        first = self.take(Level.INTERACTIVE, free)
        return first + self.take(Level.SAMPLING, min(free - len(first), self.max_sampling - num_sampling))

    def expired(self, now: float) -> list[tuple[Work, str]]:
        late = [
            (work, "deadline_exceeded" if work.deadline <= now else "queue_timeout")
            for level in Level
            for work in self.queue(level)
            if min(work.deadline, work.submitted + self.max_wait_seconds) <= now
        ]
        self.works = [work for work in self.works if work not in dict(late)]
        return late


def some_work(rng: np.random.Generator, now: float) -> Work:
    deadline = now + float(rng.integers(1, 30)) if rng.random() < 0.3 else UNLIMITED
    priority, kind = int(rng.integers(-1, 2)), int(rng.integers(3))
    work: Work = (interactive(), sampling(), job(int(rng.integers(1, 4))))[kind]
    work.priority, work.deadline, work.submitted = priority, deadline, now
    return work


def test_the_queues_are_those_of_a_plain_list() -> None:
    for seed in range(25):
        rng, now = np.random.default_rng(seed), 0.0
        limits = (5, 1 + seed % 5, 12, (UNLIMITED, 20.0)[seed % 2])
        s, plain, gone = scheduler(*limits), Plain(*limits), list[Work]()
        for _ in range(60):
            now += float(rng.integers(0, 3))
            works = [some_work(rng, now) for _ in range(rng.integers(1, 4))]
            if plain.add(works):
                s.add(works)
            else:
                with pytest.raises(QueueFull):
                    s.add(works)
            if plain.works and rng.random() < 0.3:
                removed = plain.works.pop(int(rng.integers(len(plain.works))))
                assert s.remove(removed)
                gone.append(removed)
            assert not any(map(s.remove, gone))
            if rng.random() < 0.5:
                rows = int(rng.integers(0, 5)), int(rng.integers(0, limits[1] + 1))
                assert s.admit_lanes(*rows, reserve_nothing) == plain.admit_lanes(*rows)
                num_jobs = int(rng.integers(0, 4))
                assert s.admit_jobs(num_jobs) == plain.take(Level.BULK, 2 - num_jobs)
            assert [(work, error.code) for work, error in s.expired(now)] == plain.expired(now)
            assert s.num_waiting == sum(plain.num_strings(plain.works, level) for level in Level)
            for level in Level:
                longest = max((work.num_steps for work in plain.queue(level)), default=0)
                assert s.longest_waiting(level) == longest
        assert s.drain() == [work for level in Level for work in plain.queue(level)]


def refused(s: Scheduler, work: Work) -> QueueFull:
    with pytest.raises(QueueFull) as caught:
        s.add([work])
    return caught.value


def test_a_retry_is_advised_after_the_wait_or_a_second_while_that_is_unknown() -> None:
    s = scheduler(max_waiting=2, max_wait_seconds=3.0)
    assert s.wait_seconds(Level.SAMPLING, 0) == 0
    works = [sampling(), sampling(priority=1)]
    s.add(works)
    assert refused(s, sampling()).retry_after_seconds == 1.0
    assert s.expired(2.9) == []
    (_, first), (_, second) = s.expired(3.0)
    assert isinstance(first, QueueFull)
    assert isinstance(second, QueueFull)
    assert (first.retry_after_seconds, second.retry_after_seconds) == (1.0, 1.0)
    assert first.message == "the request has waited for the queue timeout of 3 s; try again later"
    s.add([sampling(), sampling()])
    s.record(Level.SAMPLING, 8, 1.0)
    full = refused(s, sampling())
    assert full.retry_after_seconds == 20 / 8
    assert full.message == (
        "the queue is full: 2 strings wait, this request has 1, the limit is 2; try again later"
    )


def test_what_has_waited_too_long_is_told_how_long_those_behind_it_wait() -> None:
    s = scheduler(max_wait_seconds=2.0)
    first, second, third = works = [sampling(), sampling(), sampling()]
    third.submitted = 1.0
    s.add(works)
    s.record(Level.SAMPLING, 4, 1.0)
    errors: list[NextcharError] = [error for _, error in s.expired(2.0)]
    for error in errors:
        assert isinstance(error, QueueFull)
        assert (error.code, error.retry_after_seconds) == ("queue_timeout", 10 / 4)
    assert len(errors) == 2
    assert s.drain() == [third]
    assert first is not second


def test_a_request_is_refused_by_the_time_it_has_left_but_never_for_a_wait_that_is_soon_over() -> None:
    s = scheduler(max_wait_seconds=60.0)
    s.add([sampling()])
    s.record(Level.SAMPLING, 100, 1.0)  # the first waits for a tenth of a second
    for _ in range(19):
        s.add([sampling()])
    hurried = sampling()
    hurried.submitted, hurried.deadline = 50.0, 51.5
    error = refused(s, hurried)
    assert (error.retry_after_seconds, error.message) == (
        2.0,
        "the queue is full: this request would wait for about 2.0 s, its limit is 1.5 s; try again later",
    )
    hurried.deadline = 52.0
    s.add([hurried])
    s = scheduler()
    s.add([sampling()])
    s.record(Level.SAMPLING, 100, 1.0)
    hurried.deadline = hurried.submitted
    s.add([hurried])
    assert s.num_waiting == 2


def test_rows_that_are_free_are_for_the_first_that_wait() -> None:
    s = scheduler()
    s.add([sampling() for _ in range(4)])
    s.record(Level.SAMPLING, 10, 1.0)
    waits = [s.wait_seconds(Level.SAMPLING, 0, num_free) for num_free in range(6)]
    assert waits == pytest.approx([4, 3, 2, 1, 0, 0])
    assert s.wait_seconds(Level.INTERACTIVE, 0) == 0


def test_limits_that_leave_no_row_are_a_mistake() -> None:
    for max_lanes, max_sampling in ((4, 0), (4, 5)):
        with pytest.raises(AssertionError):
            scheduler(max_lanes=max_lanes, max_sampling=max_sampling)
    scheduler(max_lanes=1, max_sampling=1)
