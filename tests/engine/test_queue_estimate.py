import pytest

from nextchar.engine.queue_estimate import QueueEstimate


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
