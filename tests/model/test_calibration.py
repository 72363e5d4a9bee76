"""Percentiles and p-values: what holds for any card, and that p-values are the shares they say."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.tiny_models import LINES, TEXT

from nextchar.model.card import Card, Quantiles
from nextchar.model.surprise.calibration import Calibration, calibration_card, calibration_of
from nextchar.model.surprise.curves import Doubles, SurpriseCurves
from nextchar.model.surprise.fit import fit_curves

LN2 = math.log(2)
CURVE = {"num_symbols": 4, "bits_per_symbol": [1.0, 2.0], "tail_bits": 0.5, "num_strings": 100}
LEVELS = [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0]
OLD_CARD = TEXT.card(
    quantile_levels=LEVELS,
    quantiles=[
        Quantiles(num_chars=4, bits_per_char=[1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 9.5]),
        Quantiles(num_chars=16, bits_per_char=[0.8, 1.5, 2.5, 3.5, 5.0, 6.0, 6.5]),
        Quantiles(num_chars=128, bits_per_char=[1.0, 1.4, 2.0, 2.5, 3.0, 3.3, 3.5]),
    ],
)


def made_up(seed: int, count: int, *, tail: float = 1.0) -> tuple[Doubles, Doubles]:
    """Strings of lengths 2 to 30, whose bits per symbol fall with the length and have a heavy upper side."""
    random = np.random.default_rng(seed)
    lengths = random.binomial(28, 0.35, count) + 2.0
    noise = random.gamma(2.0, tail, count) - 2.0
    return lengths, 2 + 5 / lengths + noise * 0.9 / np.sqrt(lengths)


def fitted(seed: int = 0, count: int = 20_000) -> SurpriseCurves:
    curves = fit_curves(*made_up(seed, count))
    assert curves is not None
    return curves


NEW_CARD = LINES.card(calibration=calibration_card(fitted(), fitted(1)))


def calibration(card: Card) -> Calibration:
    found = calibration_of(card)
    assert found is not None
    return found


OLD, NEW = calibration(OLD_CARD), calibration(NEW_CARD)


def p_values(
    read: Calibration, lengths: Sequence[float], bits: Sequence[float], *, end: bool = False
) -> Doubles:
    n, b = np.array(lengths, dtype=np.float64), np.array(bits, dtype=np.float64)
    return read.p_values(n, -b * LN2 * (n + end), includes_end=end)


def percentiles(read: Calibration, lengths: Sequence[float], bits: Sequence[float]) -> Doubles:
    n = np.array(lengths, dtype=np.float64)
    return read.percentiles(n, -np.array(bits) * LN2 * n)


@st.composite
def old_cards(draw: st.DrawFn, least_step: float = 0.0) -> Card:
    """Cards with quantiles of a few lengths, in any order, that rise with the level by a step or more."""
    lengths = draw(st.lists(st.sampled_from([1, 2, 4, 8, 16, 64, 300]), min_size=1, max_size=4, unique=True))
    levels = draw(
        st.sampled_from(
            [LEVELS] if least_step else [LEVELS, [0.1, 0.9, 1.0], [0.25, 0.75], [0.0, 0.9995, 1.0]]
        )
    )
    steps = st.lists(
        st.sampled_from([least_step, 0.25, 1.0, 3.5]), min_size=len(levels), max_size=len(levels)
    )
    rows = [Quantiles(num_chars=length, bits_per_char=np.cumsum(draw(steps)).tolist()) for length in lengths]
    return TEXT.card(quantile_levels=levels, quantiles=rows)


READ = st.sampled_from([OLD, NEW]) | old_cards().map(calibration)


@given(READ, st.integers(1, 10**6), st.floats(0, 40), st.floats(0, 40))
@settings(max_examples=60)
def test_a_more_surprising_string_has_no_higher_p_value_and_no_lower_percentile(
    read: Calibration, length: int, one: float, two: float
) -> None:
    bits = sorted((one, two))
    less, more = p_values(read, [length] * 2, bits)
    assert 0 < more <= less <= 1
    assert more >= read.finest(np.array([length]))[0] * (1 - 1e-9)
    low, high = percentiles(read, [length] * 2, bits)
    assert 0 <= low <= high <= 100


@given(st.sampled_from([OLD, NEW]) | old_cards(0.25).map(calibration))
@settings(max_examples=25)
def test_a_character_more_moves_the_percentile_of_the_same_bits_by_five_points_at_most(
    read: Calibration,
) -> None:
    lengths, grid = np.arange(3.0, 41), np.linspace(0, 30, 400)
    found = np.array([percentiles(read, lengths, [bits] * len(lengths)) for bits in grid])
    assert np.abs(np.diff(found, axis=1)).max() <= 5


@pytest.mark.parametrize("read", [OLD, NEW], ids=["old", "new"])
def test_both_figures_are_continuous_in_length_and_in_bits(read: Calibration) -> None:
    lengths, bits = np.repeat(np.arange(1.0, 40), 60), np.tile(np.linspace(0.5, 8, 60), 39)
    for figure, points in ((p_values, 2e-3), (percentiles, 0.2)):
        here = figure(read, lengths, bits)
        for other in (figure(read, lengths * (1 + 1e-7), bits), figure(read, lengths, bits + 1e-7)):
            assert np.abs(other - here).max() <= points


@pytest.mark.parametrize("read", [OLD, NEW], ids=["old", "new"])
def test_every_length_has_both_figures_and_the_nearest_measured_one_stands_in(read: Calibration) -> None:
    lengths = [1, 2, 3, 50, 1000, 10**6]
    assert np.isfinite(p_values(read, lengths, [3.0] * 6)).all()
    assert np.isfinite(percentiles(read, lengths, [3.0] * 6)).all()
    far = p_values(read, [1000, 10**6], [2.2, 2.2])
    assert far[0] == far[1]


@pytest.mark.parametrize("read", [OLD, NEW], ids=["old", "new"])
def test_no_surprise_is_too_large_and_none_is_too_small(read: Calibration) -> None:
    lengths = np.array([5.0, 5.0, 5.0])
    found = read.p_values(lengths, np.array([0.0, -1e300, -np.inf]))
    finest = read.finest(lengths)[0]
    assert found == pytest.approx([1, finest, finest])


def test_an_empty_string_has_neither_figure() -> None:
    empty, one = OLD.p_values(np.array([0, 1]), np.array([0.0, -1.0]))
    assert np.isnan(empty)
    assert not np.isnan(one)
    assert np.isnan(OLD.percentiles(np.array([0]), np.array([0.0]))).all()
    assert len(OLD.p_values(np.empty(0), np.empty(0))) == 0


def test_a_card_without_measurements_has_no_calibration() -> None:
    assert calibration_of(TEXT.card()) is None


def test_an_old_card_gives_the_shares_of_its_quantiles() -> None:
    found = p_values(OLD, [4, 4, 4, 4, 16], [2.0, 3.5, 5.0, 7.0, 3.5])
    assert found == pytest.approx([0.9, 0.5, 0.1, 0.01, 0.1], rel=1e-3)
    half_way = p_values(OLD, [8], [3.0])  # in the logarithm of the length: the median of 3.5 and 2.5 bits
    assert half_way == pytest.approx([0.5], rel=5e-3)


def test_an_old_card_tells_no_p_value_below_a_thousandth() -> None:
    assert p_values(OLD, [4, 16, 4000], [99.0] * 3) == pytest.approx([0.001] * 3)


def test_the_end_counts_on_both_sides_or_not_at_all() -> None:
    assert NEW.counts_end
    curves = fitted(1)  # of strings with their end
    assert p_values(NEW, [8], [3.0], end=True) == pytest.approx(
        curves.p_values(np.array([9.0]), np.array([3.0])), rel=1e-3
    )
    assert not OLD.counts_end
    with pytest.raises(ValueError, match="end symbol"):
        p_values(OLD, [8], [3.0], end=True)


def test_p_values_of_fresh_strings_are_uniform_at_every_length() -> None:
    """The share of fresh strings at or below a p-value is that p-value.

    The bounds are four standard errors of the smaller of the two samples: with these seeds nothing is random.
    """
    curves, (lengths, bits) = fitted(0, 40_000), made_up(7, 40_000)
    found = curves.p_values(lengths, bits)
    for wanted in (0.5, 0.1, 0.01, 0.001):
        assert (found <= wanted).mean() == pytest.approx(wanted, abs=4 * math.sqrt(2 * wanted / 40_000))
    for length in range(6, 19):
        here = np.sort(found[lengths == length])
        assert len(here) > 300
        largest = np.abs(here - (np.arange(len(here)) + 0.5) / len(here)).max()
        assert largest <= 2.0 * math.sqrt(2 / len(here))  # Kolmogorov-Smirnov of two samples: one in 1000
        for wanted in (0.1, 0.01):
            error = 4 * math.sqrt(2 * wanted / len(here)) + 1 / len(here)
            assert (here <= wanted).mean() == pytest.approx(wanted, abs=error)


@pytest.mark.parametrize("wanted", [1e-3, 1e-4])
def test_the_tail_beyond_the_strings_is_within_a_factor_of_two(wanted: float) -> None:
    """4,000 strings whose excess is exponential: the true surprise of a p-value is known."""
    random, length = np.random.default_rng(3), 10
    bits = 2 + random.exponential(1.0, 4000)
    curves = fit_curves(np.full(4000, length), bits)
    assert curves is not None
    (found,) = curves.p_values(np.array([length]), np.array([2 - math.log(wanted)]))
    assert wanted / 2 <= found <= 2 * wanted


def test_a_p_value_is_ten_times_finer_than_the_strings_at_most() -> None:
    curves = fit_curves(np.full(500, 7), np.random.default_rng(0).normal(3, 0.5, 500))
    assert curves is not None
    assert curves.p_values(np.array([7]), np.array([50.0])).tolist() == [1 / 5000]


def test_equal_scores_are_at_least_as_surprising_as_themselves() -> None:
    """A model of few characters gives many strings the same bits; a p-value is no less than their share."""
    bits = np.repeat([1.0, 2.0, 3.0], [5000, 3000, 2000])
    curves = fit_curves(np.full(10_000, 1), bits)
    assert curves is not None
    found = curves.p_values(np.ones(3), np.array([1.0, 2.0, 3.0]))
    assert (found >= np.array([1.0, 0.5, 0.2]) - 1e-9).all()
    assert found == pytest.approx([1.0, 0.5, 0.2], abs=0.06)


def test_fewer_than_a_hundred_strings_are_no_calibration() -> None:
    assert fit_curves(*made_up(0, 99)) is None
    small = fit_curves(*made_up(0, 100))
    assert small is not None
    assert small.finest(np.array([10])).tolist() == [1 / 1000]


def test_a_card_is_the_curves_it_was_made_of() -> None:
    plain = fitted()
    lengths, bits = made_up(5, 500)
    assert p_values(NEW, lengths, bits) == pytest.approx(plain.p_values(lengths, bits), abs=1e-3)
    assert Card.model_validate_json(NEW_CARD.to_json()) == NEW_CARD


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"quantile_levels": [0.5], "quantiles": [Quantiles(num_chars=4, bits_per_char=[1.0])]},
            "two or more",
        ),
        ({"quantile_levels": [0.5, 0.1], "quantiles": OLD_CARD.quantiles[:1]}, "that rise"),
        ({"quantile_levels": [0.0, 1.0], "quantiles": OLD_CARD.quantiles[:1]}, "length 4 must be 2 numbers"),
        ({"quantile_levels": LEVELS, "quantiles": OLD_CARD.quantiles[:1] * 2}, "the same num_chars"),
    ],
)
def test_quantiles_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TEXT.card(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shares": [0.9, 0.5]}, "fall from 1"),
        ({"shares": [1.0, 0.0]}, "stay above 0"),
        ({"without_end": [{**CURVE, "bits_per_symbol": [2.0, 1.0]}]}, "do not fall"),
        ({"without_end": [{**CURVE, "bits_per_symbol": [2.0]}]}, "length 4 must be 2 numbers"),
        ({"without_end": [CURVE, CURVE]}, "rise from curve to curve"),
        ({"without_end": [{**CURVE, "tail_bits": 0.0}]}, "greater than 0"),
        ({"without_end": []}, "at least 1"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    sound = {"shares": [1.0, 0.5], "tail_shape": 0.0, "without_end": [CURVE]}
    assert calibration_of(TEXT.card(calibration=sound)) is not None
    with pytest.raises(ValidationError, match=message):
        TEXT.card(calibration={**sound, **changes})
