"""The next call is for the level whose turn it is, and as long as others can wait."""

import pytest

from nextchar.engine.turns.call_planner import LONG_CALL_SECONDS, MAX_CALL_SECONDS, CallPlanner
from nextchar.engine.work import Level


def chosen_levels(active: list[Level], seconds: dict[Level, float], count: int = 400) -> list[Level]:
    planner, taken = CallPlanner(max_steps=16), []
    for _ in range(count):
        level = planner.choose(active)
        taken.append(level)
        planner.record(level, seconds[level], 1)
    return taken


SECONDS = {Level.INTERACTIVE: 0.0001, Level.SAMPLING: 0.0005, Level.BULK: 0.001}


def test_a_level_alone_has_every_turn() -> None:
    for level in Level:
        assert set(chosen_levels([level], SECONDS)) == {level}


def test_later_levels_get_a_quarter_of_the_time_and_no_more() -> None:
    taken = chosen_levels([Level.INTERACTIVE, Level.BULK], SECONDS)
    time = {level: taken.count(level) * SECONDS[level] for level in Level}
    assert time[Level.BULK] / sum(time.values()) == pytest.approx(0.25, abs=0.02)
    assert set(chosen_levels(list(Level), SECONDS)) == set(Level)


def test_an_interactive_request_waits_for_one_call_of_each_later_level_at_most() -> None:
    taken = chosen_levels(list(Level), SECONDS)
    between = "".join("I" if level is Level.INTERACTIVE else "x" for level in taken).split("I")
    assert max(map(len, between)) <= 2


def test_a_call_has_as_many_steps_as_fit_into_its_time() -> None:
    planner, seconds = CallPlanner(max_steps=16), MAX_CALL_SECONDS[Level.BULK]
    assert planner.max_steps(Level.BULK, seconds) == 1  # nothing is known yet
    for step_seconds, expected in ((seconds / 4.5, 4), (1.0, 1), (1e-9, 16)):
        planner.record(Level.BULK, 8 * step_seconds, 8)
        assert planner.max_steps(Level.BULK, seconds) == expected


def test_a_later_level_is_due_once_the_earlier_ones_have_had_three_times_its_last_call() -> None:
    planner, active = CallPlanner(max_steps=16), list(Level)
    assert planner.choose(active) is Level.BULK  # nothing is known of it: one call shows
    planner.record(Level.BULK, 0.25, 1)
    assert planner.choose(active) is Level.SAMPLING
    planner.record(Level.SAMPLING, 0.5, 1)
    assert planner.choose(active) is Level.INTERACTIVE
    planner.record(Level.INTERACTIVE, 0.125, 1)
    assert planner.choose(active) is Level.INTERACTIVE
    planner.record(Level.INTERACTIVE, 0.125, 1)  # with the 0.5 of the level between, 3 times its quarter
    assert planner.choose(active) is Level.BULK
    planner.record(Level.BULK, 0.25, 1)
    assert planner.choose(active) is Level.INTERACTIVE
    planner.record(Level.INTERACTIVE, 1.25, 1)
    assert planner.choose([Level.INTERACTIVE, Level.SAMPLING]) is Level.SAMPLING


def test_calls_for_completions_are_short_for_a_second_after_an_interactive_request() -> None:
    planner, sampling = CallPlanner(max_steps=1000), [Level.SAMPLING]
    planner.record(Level.SAMPLING, 2.0**-10, 1)
    long, short = (
        planner.max_steps(Level.SAMPLING, s) for s in (LONG_CALL_SECONDS, MAX_CALL_SECONDS[Level.SAMPLING])
    )
    assert long > short
    for seconds_since_live, expected in ((0.0, short), (0.75, short), (1.0, long), (1e9, long)):
        assert planner.plan(sampling, seconds_since_live) == (Level.SAMPLING, expected)


@pytest.mark.parametrize("level", [Level.INTERACTIVE, Level.BULK])
def test_only_calls_for_completions_are_ever_long(level: Level) -> None:
    planner = CallPlanner(max_steps=1000)
    planner.record(level, 1e-5, 1)
    assert planner.plan([level], 100.0) == (level, planner.max_steps(level, MAX_CALL_SECONDS[level]))
