"""Estimates of waits follow from steps and their rate, and the rate from the last seconds."""

import pytest

from nextchar.engine.estimates.queue_estimate import Progress, QueueEstimate, Rate
from nextchar.engine.work import Level


def test_new_work_waits_for_the_steps_before_it_at_the_measured_rate() -> None:
    queue = QueueEstimate()
    queue.add(0, 300)
    queue.add(5, 100)
    assert queue.wait_seconds(0) == 0  # nothing is known
    queue.record(50, 0.5)
    assert queue.rate == pytest.approx(100)
    assert queue.wait_seconds(-1) == 0
    assert queue.wait_seconds(0) == pytest.approx(3)
    assert queue.wait_seconds(5) == pytest.approx(4)
    queue.remove(0, 300)
    assert queue.wait_seconds(4) == 0


def test_the_rate_is_that_of_the_last_seconds() -> None:
    queue = QueueEstimate()
    for rate in (1000, 10):
        for _ in range(6000):
            queue.record(rate, 0.01)
    assert queue.rate == pytest.approx(1000, rel=0.05)


def test_nothing_waits_before_a_rate_is_known_nor_behind_nothing() -> None:
    queue = QueueEstimate()
    assert queue.is_empty
    assert queue.rate == queue.wait_seconds(0) == 0
    queue.record(10, 1.0)
    assert queue.wait_seconds(0) == 0
    queue.add(3, 5)
    queue.add(3, 7)
    assert not queue.is_empty
    assert queue.wait_seconds(3) == pytest.approx(1.2)
    queue.remove(3, 12)
    assert queue.is_empty


def test_a_rate_forgets_by_the_time_that_passes() -> None:
    rate = Rate()
    assert rate.per_second == 0
    rate.record(6, 1.5)
    assert rate.per_second == 4
    rate.record(10, 1.5)  # half of the memory: what came before counts half
    assert rate.per_second == pytest.approx((6 / 2 + 10) / (1.5 / 2 + 1.5))
    rate.record(8, 4.0)  # longer than the memory
    assert rate.per_second == 2
    rate.record(3, 0.0)
    assert rate.per_second == pytest.approx(11 / 4)


ALONE, DRAWS, BULK = Level


class Calls:
    """Records calls one after the other, a millisecond apart, of a second each."""

    def __init__(self) -> None:
        self.progress, self.done, self.now = Progress(), [0, 0, 0], 100.0

    def call(self, level: Level, active: list[Level], done: tuple[int, ...], num_steps: int) -> list[int]:
        self.done = [a + b for a, b in zip(self.done, done, strict=True)]
        started = self.now + 0.001
        self.now = started + 1.0
        _, new = self.progress.record(level, active, tuple(self.done), num_steps, started, self.now)
        return new


def test_the_pace_of_lanes_is_that_of_a_row_and_of_jobs_that_of_all_rows() -> None:
    calls = Calls()
    assert [calls.progress.seconds(level, 100) for level in Level] == [0, 0, 0]
    assert calls.call(DRAWS, [ALONE, DRAWS, BULK], (20, 30, 0), 10) == [20, 30, 0]
    assert calls.call(BULK, [DRAWS, BULK], (5, 0, 40), 4) == [0, 40]
    assert calls.call(ALONE, [ALONE], (7, 9, 9), 7) == [7]
    rates = {level: Rate() for level in Level}
    rates[ALONE].record(10, 1.01)  # a call for completions advances them too
    rates[DRAWS].record(10, 1.01)
    rates[BULK].record(0, 1.01)
    rates[DRAWS].record(0, 1.001)
    rates[BULK].record(40, 1.001)
    rates[ALONE].record(7, 1.001)
    for level in Level:
        assert calls.progress.seconds(level, 100) == pytest.approx(100 / rates[level].per_second)


def test_a_short_pause_between_two_calls_counts_as_work_and_a_long_one_in_part() -> None:
    progress = Progress()

    def seconds(started: float, ended: float) -> float:
        found, _ = progress.record(DRAWS, [DRAWS], (0, 0, 0), 1, started, ended)
        return found

    assert seconds(50.0, 50.5) == pytest.approx(0.51)  # the first: as after a long pause
    assert seconds(50.504, 50.6) == pytest.approx(0.1)
    assert seconds(60.0, 60.5) == pytest.approx(0.51)
    assert seconds(60.5, 60.7) == pytest.approx(0.2)


def test_a_level_waits_since_its_last_call_or_since_it_has_work() -> None:
    waits = Progress().waits  # a call for completions takes the interactive rows along
    assert waits(DRAWS, [ALONE, DRAWS, BULK], 10.0, 11.0) == [
        (ALONE, 0.0),
        (DRAWS, 0.0),
    ]
    assert waits(ALONE, [ALONE, DRAWS, BULK], 12.0, 13.0) == [(ALONE, 1.0)]
    assert waits(BULK, [ALONE, DRAWS, BULK], 14.0, 15.0) == [(BULK, 4.0)]
    assert waits(DRAWS, [ALONE, DRAWS], 16.0, 17.0) == [(ALONE, 3.0), (DRAWS, 5.0)]
    assert waits(BULK, [BULK], 20.0, 21.0) == [(BULK, 0.0)]  # it had no work in between
    assert waits(DRAWS, [DRAWS, BULK], 23.0, 24.0) == [(DRAWS, 0.0)]
    assert waits(BULK, [BULK], 25.0, 26.0) == [(BULK, 4.0)]
