"""A score is ranked among those of the last half of the strings before it; that holds for any scores."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.surprise.online_scores import OnlineScores

_SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=30)  # of few values, so that many are equal


def p_values(scores: list[float], max_scores: int = 1000) -> list[float]:
    ranks, _ = OnlineScores.begun(max_scores).ranked(np.array(scores, dtype=float))
    return [rank.p_value for rank in ranks]


@given(_SCORES, st.integers(1, 12))
def test_it_is_the_rank_among_the_last_half_and_at_most_so_many(scores: list[float], max_scores: int) -> None:
    ranks, _ = OnlineScores.begun(max_scores).ranked(np.array(scores, dtype=float))
    for i, rank in enumerate(ranks):
        compared = scores[i - min((i + 1) // 2, max_scores) : i]
        assert rank.num_compared == len(compared)
        assert rank.num_at_least == sum(other >= scores[i] for other in compared)
        assert rank.p_value == (rank.num_at_least + 1) / (len(compared) + 1)


@pytest.mark.parametrize("scores", [[1, 2, 3, 4, 5, 6], [2, 2, 2, 5, 5, 1], [1, 1, 1, 1, 1, 1]])
def test_of_all_orders_of_scores_no_more_than_a_share_u_has_a_p_value_up_to_u(scores: list[float]) -> None:
    found = sorted(p_values(list(order))[-1] for order in permutations(scores))
    for p_value in found:
        assert sum(p <= p_value for p in found) / len(found) <= p_value + 1e-12


def test_p_values_of_scores_of_one_kind_are_uniform() -> None:
    scores = np.random.default_rng(1).lognormal(size=12_000).tolist()
    found = np.array(p_values(scores, max_scores=500))[1000:]
    for u in (0.01, 0.05, 0.1, 0.25, 0.5, 0.9):
        # What is compared changes by one score of 500 at a time, so neighbours are nearly independent.
        error = 4 * math.sqrt(u * (1 - u) / len(found))
        assert u - 1 / 501 - error <= (found <= u).mean() <= u + error, u


@given(_SCORES, _SCORES, st.integers(1, 8))
def test_it_goes_on_from_the_scores_that_it_compares_with(
    first: list[float], rest: list[float], max_scores: int
) -> None:
    whole, _ = OnlineScores.begun(max_scores).ranked(np.array([*first, *rest], dtype=float))
    ranks, read = OnlineScores.begun(max_scores).ranked(np.array(first, dtype=float))
    again = OnlineScores.restored(read.num_read, read.compared, max_scores)
    for one in (read, again, read):  # reading changes none of them
        assert ranks + one.ranked(np.array(rest, dtype=float))[0] == whole
    assert (again.num_read, again.compared.tolist()) == (len(first), read.compared.tolist())


def test_what_it_compares_with_must_be_as_many_as_it_does() -> None:
    with pytest.raises(ValueError, match="10 lines are compared with 5, not 4"):
        OnlineScores.restored(10, np.zeros(4), 100)
