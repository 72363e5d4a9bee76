import pytest

from nextchar.engine.queue_estimate import Backlog


def test_who_comes_waits_for_the_steps_before_it_at_the_measured_rate() -> None:
    backlog = Backlog()
    backlog.add(0, 300)
    backlog.add(5, 100)
    assert backlog.wait_seconds(0) == 0  # nothing is known
    backlog.worked(50, 0.5)
    assert backlog.rate == pytest.approx(100)
    assert backlog.wait_seconds(-1) == 0
    assert backlog.wait_seconds(0) == pytest.approx(3)
    assert backlog.wait_seconds(5) == pytest.approx(4)
    backlog.remove(0, 300)
    assert backlog.wait_seconds(4) == 0


def test_the_rate_is_that_of_the_last_seconds() -> None:
    backlog = Backlog()
    for rate in (1000, 10):
        for _ in range(6000):
            backlog.worked(rate, 0.01)
    assert backlog.rate == pytest.approx(1000, rel=0.05)
