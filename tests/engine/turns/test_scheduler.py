"""Work waits in order, within limits, and leaves for a row, by its time or when it is taken back."""

import pytest
from support.engine_lanes import interactive, job, reserve_nothing, sampling, scheduler

from nextchar.engine.work import Level
from nextchar.errors import QueueFull


def test_lanes_join_in_order_of_arrival_as_rows_are_free() -> None:
    s, lanes = scheduler(max_lanes=4), [interactive() for _ in range(6)]
    s.add(lanes)
    assert s.admit_lanes(1, 0, reserve_nothing) == lanes[:3]
    assert s.admit_lanes(2, 2, reserve_nothing) == []
    assert s.admit_lanes(0, 0, reserve_nothing) == lanes[3:]


def test_interactive_requests_go_first() -> None:
    s, later, now = scheduler(), sampling(), interactive()
    s.add([later, now])
    assert s.admit_lanes(0, 0, reserve_nothing) == [now, later]


def test_completions_leave_rows_to_interactive_requests() -> None:
    s, lanes, now = scheduler(max_lanes=4, max_sampling=2), [sampling() for _ in range(4)], interactive()
    s.add(lanes)
    assert s.admit_lanes(0, 0, reserve_nothing) == lanes[:2]
    assert s.admit_lanes(0, 2, reserve_nothing) == []
    s.add([now])
    assert s.admit_lanes(0, 2, reserve_nothing) == [now]


def test_as_many_jobs_run_as_may() -> None:
    s, jobs = scheduler(), [job() for _ in range(4)]
    s.add(jobs)
    assert s.admit_jobs(0) == jobs[:2]
    assert s.admit_jobs(2) == []
    assert s.admit_jobs(1) == jobs[2:3]


def test_a_request_waits_whole_or_not_at_all() -> None:
    s = scheduler(max_waiting=3)
    s.add([interactive(), interactive()])
    with pytest.raises(QueueFull, match="limit is 3"):
        s.add([interactive(), interactive()])
    with pytest.raises(QueueFull, match="this request has 4"):
        s.add([job(4)])
    assert s.num_waiting == 2
    s.add([interactive()])
    assert s.num_waiting == 3


def test_bulk_work_does_not_take_the_places_of_others() -> None:
    s = scheduler(max_waiting=3)
    s.add([job(3)])
    s.add([interactive(), sampling()])
    assert s.num_waiting == 5
    with pytest.raises(QueueFull, match="3 strings wait"):
        s.add([job(1)])


def test_the_lowest_priority_number_goes_first_and_then_the_first_to_arrive() -> None:
    s = scheduler()
    works = [interactive(priority=n) for n in (5, 0, -3, 0, 5)]
    s.add(works)
    assert s.admit_lanes(1, 0, reserve_nothing) == [works[2], works[1], works[3]]
    assert s.admit_lanes(0, 0, reserve_nothing) == [works[0], works[4]]


def test_work_that_has_waited_as_long_as_it_may_ends_with_an_error() -> None:
    s = scheduler(max_wait_seconds=2.0)
    works = [interactive(), interactive(deadline=1.0)]
    s.add(works)
    assert s.expired(0.9) == []
    ((late, error),) = s.expired(1.5)
    assert (late, error.code) == (works[1], "deadline_exceeded")
    ((late, error),) = s.expired(2.0)
    assert (late, error.code) == (works[0], "queue_timeout")
    assert s.num_waiting == 0


def test_work_that_would_wait_too_long_is_refused_with_its_wait() -> None:
    s = scheduler(max_wait_seconds=2.0)
    s.add([sampling(), sampling(priority=1)])
    s.record(Level.SAMPLING, 100, 1.0)  # a hundred steps a second
    for _ in range(19):
        s.add([sampling()])
    with pytest.raises(QueueFull) as caught:
        s.add([sampling(priority=1)])
    assert caught.value.retry_after_seconds == pytest.approx(2.0, abs=0.2)
    s.add([sampling()])  # before the one of priority 1, 1.9 s are waited
    s.add([interactive()])  # another queue
    with pytest.raises(QueueFull, match=r"about 2\.\d s"):
        s.add([sampling(priority=1)])


def test_work_with_a_free_row_does_not_wait() -> None:
    s = scheduler(max_wait_seconds=2.0)
    s.add([sampling()])
    s.record(Level.SAMPLING, 1, 1.0)  # ten seconds for each
    s.add([sampling()], free=(2, 2, 2))
    with pytest.raises(QueueFull, match=r"about 10\.0 s"):
        s.add([sampling()], free=(1, 1, 1))


def test_a_request_with_less_time_than_it_would_wait_is_refused_at_once() -> None:
    s = scheduler()
    s.record(Level.INTERACTIVE, 1, 100.0)  # nothing waits: this says nothing of how fast it can go
    s.add([interactive()])
    s.record(Level.INTERACTIVE, 1, 10.0)
    with pytest.raises(QueueFull):
        s.add([interactive(deadline=5.0)])
    s.add([interactive(deadline=11.0)])


def test_late_work_leaves_from_anywhere_in_the_queue() -> None:
    s = scheduler()
    works = [interactive(), interactive(deadline=5.0), interactive(), job(deadline=3.0)]
    s.add(works)
    assert s.expired(2.9) == []
    assert [work for work, _ in s.expired(3.0)] == [works[3]]
    assert [work for work, _ in s.expired(6.0)] == [works[1]]
    assert s.admit_lanes(0, 0, reserve_nothing) == [works[0], works[2]]


def test_removed_work_does_not_join() -> None:
    s, lanes = scheduler(), [interactive(), interactive()]
    s.add(lanes)
    assert s.remove(lanes[0])
    assert not s.remove(lanes[0])
    assert s.admit_lanes(0, 0, reserve_nothing) == [lanes[1]]


def test_drain_takes_all_work_out() -> None:
    s, works = scheduler(), [interactive(), sampling(), job(5)]
    s.add(works)
    assert s.drain() == works
    assert s.num_waiting == 0
