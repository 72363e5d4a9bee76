"""Draws by filters, bias and penalties are those of a plain reading of the rules, row by row."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextchar.engine.sampler import (
    Filters,
    History,
    Uniforms,
    draw,
    drawn_logprobs,
    penalized,
    top,
    truncated,
    weigh,
)
from nextchar.model.graph import log_softmax

FOUR = np.log(np.array([[0.1, 0.4, 0.3, 0.2]]))


def filters(top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0, typical_p: float = 1.0) -> Filters:
    return Filters(np.array([top_k]), np.array([top_p]), np.array([min_p]), np.array([typical_p]))


def probabilities(weights: np.ndarray) -> list[float]:
    return (weights / weights.sum(axis=1, keepdims=True))[0].round(6).tolist()


def test_log_softmax_gives_log_probabilities() -> None:
    logits = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)
    found = np.exp(log_softmax(logits))
    assert found.sum() == pytest.approx(1, abs=1e-15)
    assert found[0, 2] / found[0, 1] == pytest.approx(np.e)


def test_huge_logits_neither_overflow_nor_vanish() -> None:
    found = log_softmax(np.array([[3e4, 0.0, -3e4]], dtype=np.float32))
    assert found.tolist() == [[0.0, -3e4, -6e4]]


def test_temperature_one_leaves_the_distribution_and_two_takes_the_root() -> None:
    assert probabilities(weigh(FOUR, np.array([1.0]), None)) == [0.1, 0.4, 0.3, 0.2]
    root = np.sqrt([0.1, 0.4, 0.3, 0.2])
    assert probabilities(weigh(FOUR, np.array([2.0]), None)) == (root / root.sum()).round(6).tolist()


def test_a_tiny_temperature_leaves_only_the_largest() -> None:
    assert probabilities(weigh(FOUR, np.array([1e-300]), None)) == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (filters(top_k=1), [1]),
        (filters(top_k=2), [1, 2]),
        (filters(top_k=9), [0, 1, 2, 3]),
        (filters(top_p=0.4), [1]),
        (filters(top_p=0.41), [1, 2]),
        (filters(top_p=0.9), [1, 2, 3]),
        (filters(top_p=1e-9), [1]),
        (filters(min_p=0.5), [1, 2, 3]),
        (filters(min_p=0.76), [1]),
        (filters(min_p=1.0), [1]),
        (filters(top_k=3, top_p=0.5), [1, 2]),
    ],
)
def test_filters_keep_the_likeliest(chosen: Filters, kept: list[int]) -> None:
    weights = truncated(np.exp(FOUR), chosen)
    assert np.flatnonzero(weights[0]).tolist() == kept
    assert weights[0, kept].tolist() == np.exp(FOUR)[0, kept].tolist()


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        # The entropy is 1.75 bits; the numbers have 3, 1, 2 and 3 bits, so the nearest is 1/4, then 1/2.
        (filters(typical_p=0.25), [2]),
        (filters(typical_p=0.26), [1, 2]),
        (filters(typical_p=0.75), [1, 2]),
        (filters(typical_p=0.76), [0, 1, 2]),  # of equally near ones the first
        (filters(typical_p=0.88), [0, 1, 2, 3]),
        (filters(typical_p=1.0), [0, 1, 2, 3]),
        # Without the last two, 2/3 and 1/3 are left: 0.918 bits, from which 0.585 is nearer than 1.585.
        (filters(top_k=2, typical_p=0.5), [1]),
    ],
)
def test_typical_p_keeps_what_is_nearest_to_the_entropy(chosen: Filters, kept: list[int]) -> None:
    weights = np.array([[1 / 8, 1 / 2, 1 / 4, 1 / 8]])
    found = truncated(weights, chosen)
    assert np.flatnonzero(found[0]).tolist() == kept
    assert found[0, kept].tolist() == weights[0, kept].tolist()


def test_of_equals_a_filter_keeps_the_first() -> None:
    assert np.flatnonzero(truncated(np.ones((1, 4)), filters(top_k=2))[0]).tolist() == [0, 1]


def test_a_draw_is_by_inverse_cdf() -> None:
    weights = np.repeat(np.array([[1.0, 0.0, 2.0, 1.0]]), 6, axis=0)
    numbers = np.array([2.0**-52, 0.2499, 0.25, 0.7499, 0.75, 1 - 2.0**-52])
    assert draw(weights, numbers, np.zeros(6, dtype=np.bool_)).tolist() == [0, 0, 2, 2, 3, 3]


def test_greedy_rows_take_the_first_of_the_largest() -> None:
    weights = np.array([[1.0, 3.0, 3.0], [1.0, 3.0, 3.0]])
    assert draw(weights, np.array([0.99, 0.99]), np.array([True, False])).tolist() == [1, 2]


def test_a_symbol_without_weight_leaves_the_next_largest_at_zero() -> None:
    found = weigh(FOUR, np.array([1.0]), 1)
    assert found[0].max() == 1
    assert probabilities(found) == [0.166667, 0, 0.5, 0.333333]


def test_penalties_take_from_what_was_there_before() -> None:
    history = History(
        counts=np.array([[0.0, 2.0, 0.0, 1.0]]),
        seen=np.array([[True, True, False, True]]),
        presence=np.array([0.5]),
        frequency=np.array([0.25]),
        repetition=np.array([2.0]),
    )
    expected = FOUR[0] * [2, 2, 1, 2] - [0, 0.5 + 2 * 0.25, 0, 0.5 + 0.25]
    assert penalized(FOUR, history)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-15)


def test_draws_follow_the_probabilities() -> None:
    count = 40_000
    numbers = Uniforms().take(7, 0, count)
    drawn = draw(np.repeat(np.exp(FOUR), count, axis=0), numbers, np.zeros(count, dtype=np.bool_))
    share = np.bincount(drawn, minlength=4) / count
    assert np.abs(share - np.exp(FOUR)[0]).max() < 0.01


def test_top_is_in_falling_order_with_ties_by_id() -> None:
    assert top(np.array([[0.1, 0.5, 0.5, 0.2]]), 3).tolist() == [[1, 2, 3]]


@given(st.integers(0, 2**64 - 1), st.integers(0, 1000), st.integers(0, 40), st.integers(0, 40))
def test_a_random_number_depends_on_seed_and_position_only(
    seed: int, start: int, skip: int, count: int
) -> None:
    numbers = Uniforms()
    whole = numbers.take(seed, start, skip + count)
    numbers.take(seed ^ 1, skip, 5)
    assert whole[skip:].tolist() == numbers.take(seed, start + skip, count).tolist()
    assert ((whole > 0) & (whole < 1)).all()


def test_random_numbers_are_those_of_philox() -> None:
    expected = (np.random.Philox(key=5, counter=0).random_raw(9) >> np.uint64(13)).astype(np.float64)
    assert Uniforms().take(5, 0, 9).tolist() == ((expected + 0.5) / 2**51).tolist()


def test_seeds_give_different_numbers() -> None:
    assert len({tuple(Uniforms().take(seed, 0, 4)) for seed in range(100)}) == 100


def test_a_row_is_the_same_bytes_alone_and_among_others() -> None:
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal((256, 70)) * 4).astype(np.float32)
    temperature = rng.uniform(0.1, 2, 256)
    top_k, typical_p = rng.integers(0, 70, 256), np.where(rng.random(256) < 0.5, rng.uniform(0.1, 1, 256), 1)
    chosen = Filters(top_k, rng.uniform(0.1, 1, 256), rng.uniform(0, 0.2, 256), typical_p)
    numbers = rng.random(256)

    counts, bias = rng.integers(0, 3, (256, 70)).astype(np.float64), rng.uniform(-3, 3, (256, 70))
    penalty = rng.uniform(0.5, 1.5, 256)
    greedy = rng.random(256) < 0.1

    def run(rows: slice) -> list[bytes]:
        history = History(counts[rows], counts[rows] > 0, penalty[rows], penalty[rows], penalty[rows])
        scores = penalized(log_softmax(logits[rows]), history) + bias[rows]
        weights = weigh(scores, temperature[rows], 3)
        by_field = (chosen.top_k, chosen.top_p, chosen.min_p, chosen.typical_p)
        kept = truncated(weights, Filters(*(field[rows] for field in by_field)))
        drawn = draw(kept, numbers[rows], greedy[rows])
        parts = (scores, weights, kept, drawn)
        return [b"".join(part[i].tobytes() for part in parts) for i in range(len(drawn))]

    together = run(slice(256))
    for n in range(1, 65):
        assert run(slice(n)) == together[:n]
    assert [run(slice(i, i + 1))[0] for i in range(256)] == together


# Few values, so that there are ties, and exact in binary, so that a plain sum is the same number.
WEIGHTS = st.lists(st.lists(st.integers(0, 5), min_size=40, max_size=40), min_size=1, max_size=4).filter(
    lambda rows: all(map(any, rows))
)


def likeliest(row: list[float]) -> list[int]:
    """The symbols in falling order, ties by id."""
    return sorted(range(len(row)), key=lambda k: (-row[k], k))


@settings(max_examples=40)
@given(WEIGHTS, st.integers(0, 45))
def test_the_likeliest_of_every_row_come_first(rows: list[list[float]], count: int) -> None:
    assert top(np.array(rows, dtype=np.float64), count).tolist() == [likeliest(row)[:count] for row in rows]


@settings(max_examples=40)
@given(WEIGHTS, st.integers(0, 12), st.integers(1, 8), st.integers(0, 8))
def test_filters_keep_in_every_row_what_the_rules_say(
    rows: list[list[float]], top_k: int, top_p: int, min_p: int
) -> None:
    def kept(row: list[float]) -> list[float]:
        ranked = likeliest(row)[: top_k or None]
        if top_p < 8:
            total, reached = sum(row[k] for k in ranked), 0.0
            before = [reached := reached + row[k] for k in ranked]
            ranked = [k for k, b in zip(ranked, before, strict=True) if b - row[k] < top_p / 8 * total]
        return [x if k in ranked and x >= min_p / 8 * max(row) else 0.0 for k, x in enumerate(row)]

    n = len(rows)
    chosen = Filters(np.full(n, top_k), np.full(n, top_p / 8), np.full(n, min_p / 8), np.ones(n))
    found = truncated(np.array(rows, dtype=np.float64), chosen)
    assert found.tolist() == [kept(row) for row in rows]


@settings(max_examples=40)
@given(WEIGHTS, st.integers(0, 15))
def test_reported_log_probabilities_are_those_of_the_draws(rows: list[list[float]], greedy_bits: int) -> None:
    greedy = [bool(greedy_bits >> k & 1) for k in range(len(rows))]
    found = drawn_logprobs(np.array(rows, dtype=np.float64), np.array(greedy))
    for row, takes_largest, logprobs in zip(rows, greedy, found.tolist(), strict=True):
        shares = [x / sum(row) for x in row]
        if takes_largest:
            shares = [float(k == likeliest(row)[0]) for k in range(len(row))]
        assert logprobs == pytest.approx([math.log(x) if x else -math.inf for x in shares])


def test_weights_leave_the_scores_as_they_were() -> None:
    scores = FOUR.copy()
    weigh(scores, np.array([0.5]), 1)
    assert scores.tolist() == FOUR.tolist()
