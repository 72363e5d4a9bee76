import numpy as np
import pytest

from nextchar.errors import QueueFull
from nextchar.lane import FOREVER, Lane, Priority
from nextchar.scheduler import Scheduler


def lane(priority: Priority = Priority.INTERACTIVE, deadline: float = FOREVER) -> Lane:
    return Lane(np.zeros(1, dtype=np.int64), priority=priority, deadline=deadline)


def bulk() -> Lane:
    return lane(Priority.BULK)


def scheduler(max_lanes: int = 4, reserved: int = 0, max_waiting: int = 100) -> Scheduler:
    return Scheduler(max_lanes=max_lanes, reserved=reserved, max_waiting=max_waiting)


def test_lanes_join_in_order_of_arrival_as_rows_are_free() -> None:
    s, lanes = scheduler(max_lanes=4), [lane() for _ in range(6)]
    s.add(lanes)
    assert s.admit(num_live=1, num_live_bulk=0) == lanes[:3]
    assert s.admit(num_live=4, num_live_bulk=0) == []
    assert s.admit(num_live=0, num_live_bulk=0) == lanes[3:]


def test_interactive_lanes_go_first() -> None:
    s, later, now = scheduler(), bulk(), lane()
    s.add([later, now])
    assert s.admit(0, 0) == [now, later]


def test_bulk_lanes_leave_the_reserved_rows_free() -> None:
    s, lanes = scheduler(max_lanes=4, reserved=2), [bulk() for _ in range(4)]
    s.add(lanes)
    assert s.admit(0, 0) == lanes[:2]
    assert s.admit(2, 2) == []
    live = lane()
    s.add([live])
    assert s.admit(2, 2) == [live]


def test_a_request_waits_whole_or_not_at_all() -> None:
    s = scheduler(max_waiting=3)
    s.add([lane(), lane()])
    with pytest.raises(QueueFull, match="limit is 3"):
        s.add([lane(), lane()])
    assert s.num_waiting == 2
    s.add([lane()])


def test_late_lanes_leave_from_anywhere_in_the_line() -> None:
    s = scheduler()
    lanes = [lane(), lane(deadline=5.0), lane(), lane(Priority.BULK, deadline=3.0)]
    s.add(lanes)
    assert s.expired(2.9) == []
    assert s.expired(3.0) == [lanes[3]]
    assert s.expired(6.0) == [lanes[1]]
    assert s.admit(0, 0) == [lanes[0], lanes[2]]


def test_a_removed_lane_does_not_join() -> None:
    s, lanes = scheduler(), [lane(), lane()]
    s.add(lanes)
    assert s.remove(lanes[0])
    assert not s.remove(lanes[0])
    assert s.admit(0, 0) == [lanes[1]]


def test_drain_takes_everybody_out() -> None:
    s, lanes = scheduler(), [lane(), bulk()]
    s.add(lanes)
    assert s.drain() == lanes
    assert s.num_waiting == 0
