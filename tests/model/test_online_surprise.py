"""A line is ranked among those before it; that holds for exchangeable lines, whatever they are."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.surprise.online import OnlineSurprise, lines_needed

# (surprise, symbols), of few values, so that many are equal
_LINES = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), min_size=1, max_size=30)


def p_values(lines: list[tuple[float, int]], max_lines: int = 1000) -> list[float]:
    surprise = OnlineSurprise(max_lines)
    return [surprise.read(*line) for line in lines]


def by_definition(lines: list[tuple[float, int]]) -> float:
    """The share of lines whose lesser rank is at most that of the last one."""
    totals, means = [a for a, _ in lines], [a / n for a, n in lines]
    ranks = [
        min(sum(t >= total for t in totals), sum(m >= mean for m in means))
        for total, mean in zip(totals, means, strict=True)
    ]
    return sum(rank <= ranks[-1] for rank in ranks) / len(lines)


def lognormal_lines(count: int, *, seed: int) -> list[tuple[float, int]]:
    chance = np.random.default_rng(seed)
    lengths = 1 + chance.poisson(80, count)
    return list(zip((lengths * chance.lognormal(0, 0.5, count)).tolist(), lengths.tolist(), strict=True))


@given(_LINES, st.integers(1, 12))
def test_it_is_the_rank_among_the_last_half_and_at_most_so_many(
    lines: list[tuple[float, int]], max_lines: int
) -> None:
    for i, found in enumerate(p_values(lines, max_lines)):
        compared = min((i + 1) // 2, max_lines)
        assert found == by_definition(lines[i - compared : i + 1])


@pytest.mark.parametrize(
    "lines",
    [
        [(1.0, 1), (2.0, 5), (3.0, 2), (4.0, 9), (5.0, 3), (6.0, 7)],
        [(2.0, 1), (2.0, 1), (2.0, 2), (5.0, 1), (5.0, 1), (1.0, 1)],
        [(1.0, 1)] * 6,
    ],
)
def test_of_all_orders_of_lines_no_more_than_a_share_u_has_a_p_value_up_to_u(
    lines: list[tuple[float, int]],
) -> None:
    found = sorted(p_values(list(order))[-1] for order in permutations(lines))
    for k, p_value in enumerate(found, start=1):
        assert sum(p <= p_value for p in found) / len(found) <= p_value + 1e-12, k


def test_p_values_of_lines_of_one_kind_are_uniform() -> None:
    found = np.array(p_values(lognormal_lines(12_000, seed=1), max_lines=500))[1000:]
    for u in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9):
        # What is compared changes by one line of 500 at a time, so neighbours are nearly independent.
        error = 4 * math.sqrt(u * (1 - u) / len(found))
        assert u - 2 / 501 - error <= (found <= u).mean() <= u + error, u


@pytest.mark.parametrize("odd", [(1e6, 200), (30.0, 1)])
def test_the_most_surprising_line_by_either_measure_has_one_of_the_least_p_values(
    odd: tuple[float, int],
) -> None:
    surprise = OnlineSurprise()
    for line in lognormal_lines(999, seed=2):
        surprise.read(*line)
    assert surprise.finest == 1 / 501
    assert surprise.read(*odd) <= 2 / 501


def test_the_lines_from_which_was_learned_first_are_forgotten() -> None:
    surprise = OnlineSurprise()
    for i in range(100):
        surprise.read(1000.0 + i, 10)
    for i in range(100):
        surprise.read(1.0 + i % 7, 10)
    assert surprise.read(50.0, 10) == 1 / 101
    assert surprise.read(60.0, 10) == 1 / 102


def test_its_size_does_not_grow() -> None:
    surprise = OnlineSurprise(64)
    for i in range(1000):
        surprise.read(float(i % 13), 4)
    assert (surprise.num_lines, surprise.num_compared, surprise.finest) == (1000, 64, 1 / 65)


def test_a_line_without_symbols_has_no_p_value_and_is_not_counted() -> None:
    surprise = OnlineSurprise()
    assert math.isnan(surprise.read(0.0, 0))
    assert surprise.num_lines == 0


@pytest.mark.parametrize("threshold", [1.0, 0.5, 0.3, 0.1, 0.05, 0.01, 0.001])
def test_so_many_lines_are_needed_and_no_fewer(threshold: float) -> None:
    surprise, needed = OnlineSurprise(), lines_needed(threshold)
    for i in range(needed):
        # Each is the most surprising one so far.
        assert surprise.read(float(2 ** min(i, 900)), 1) > threshold
    assert surprise.read(2.0**901, 1) <= threshold


def test_it_compares_with_one_line_at_least() -> None:
    with pytest.raises(ValueError, match="max_lines must be at least 1"):
        OnlineSurprise(0)
