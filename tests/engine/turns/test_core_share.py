"""Engines and the event loop share the cores: the last engine gives way, and none exceeds a CPU limit."""

import pytest

from nextchar.engine.turns.core_share import CoreShare


@pytest.mark.parametrize(("num_cores", "spare"), [(1, []), (2, [1]), (4, [3])])
def test_of_an_engine_for_each_core_the_last_is_spare_and_the_first_never(
    num_cores: int, spare: list[int]
) -> None:
    share = CoreShare(num_cores)
    assert [number for number in range(num_cores) if share.is_spare(number)] == spare


def test_without_an_event_loop_to_answer_from_no_engine_is_spare() -> None:
    assert not any(CoreShare().is_spare(number) for number in range(9))


def test_a_spare_engine_makes_way_for_three_times_its_call_while_a_request_is_live() -> None:
    share = CoreShare(2)
    assert share.makes_way_seconds(0.002, 0.0) == 0.0  # none was live yet
    share.take(5.0)
    assert share.makes_way_seconds(0.002, 5.01) == pytest.approx(0.006)
    assert share.makes_way_seconds(0.002, 5.03) == 0.0
    assert share.seconds_since_live(5.5) == 0.5


def run_limited(share: CoreShare, *, loop_cores: float, seconds: float = 10.0) -> tuple[float, float]:
    """Runs two engines in calls of a millisecond, beside a loop, each on a core of its own.

    Returns the processor time by second, and the longest that the process was ahead of a limit of two.
    """
    now = used = ahead = 0.0
    while now < seconds:
        owed = share.owed_seconds(now, used)
        now += 0.001 + owed
        used += 0.002 + loop_cores * (0.001 + owed)
        ahead = max(ahead, used - 2 * now)
    return used / now, ahead


@pytest.mark.parametrize("loop_cores", [0.1, 0.5, 1.0])
def test_engines_rest_before_the_limit_would_stop_all_threads(loop_cores: float) -> None:
    rate, ahead = run_limited(CoreShare(3, 2.0), loop_cores=loop_cores)
    assert rate == pytest.approx(2.0, abs=0.01)
    assert ahead < 0.01  # of the 0.2 that the limit allows in each period of 0.1


def test_engines_within_the_limit_never_rest() -> None:
    share, now, used = CoreShare(2, 2.0), 0.0, 0.0
    for _ in range(1000):
        assert share.owed_seconds(now, used) == 0.0
        now, used = now + 0.001, used + 0.0019


def test_time_that_was_not_used_is_not_saved_up() -> None:
    share = CoreShare(2, 2.0)
    share.owed_seconds(0.0, 0.0)
    assert share.owed_seconds(100.0, 0.0) == 0.0
    assert share.owed_seconds(100.01, 0.03) == pytest.approx((0.01 - 0.004) / 2)
