from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engine_lanes import GRAPH, at_once
from support.tiny_models import TEXT

from nextchar.model.card import Card, Quantiles
from nextchar.model.graph import open_graph
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.score import Score
from nextchar.service.inference.score_math import (
    count_each,
    entropy_bits,
    make_scores,
    next_chars,
    percentiles,
)
from nextchar.service.inference.score_rows import CharScores

QUANTILES = {
    "quantile_levels": [0.0, 0.5, 1.0],
    "quantiles": [
        Quantiles(num_chars=4, bits_per_char=[2.0, 4.0, 8.0]),
        Quantiles(num_chars=64, bits_per_char=[1.0, 2.0, 3.0]),
    ],
}
UNKNOWN = TEXT.vocabulary.unknown_id


def scores(logprobs: list[np.ndarray], strings: list[list[int]] | None = None, **card: object) -> list[Score]:
    graph = replace(GRAPH, card=TEXT.card(**card))
    ids = [np.array(s, dtype=np.int64) for s in strings or [[0] * len(x) for x in logprobs]]
    return at_once(make_scores(logprobs, ids, graph, has_end=False))


def test_a_score_is_a_sum_and_its_means() -> None:
    _, score = scores([np.empty(0), np.log([0.5, 0.25])], [[], [0, UNKNOWN]])
    assert score.logprob == pytest.approx(np.log(0.125))
    assert score.bits_per_char == pytest.approx(1.5)
    assert score.perplexity == pytest.approx(2**1.5)
    assert (score.index, score.num_chars, score.num_unknown, score.percentile) == (1, 2, 1, None)


def test_an_empty_string_has_a_defined_score() -> None:
    (score,) = scores([np.empty(0)], **QUANTILES)
    assert (score.logprob, score.bits_per_char, score.perplexity) == (0.0, 0.0, 1.0)
    assert score.percentile is None
    assert str(score.bits_per_char) == "0.0"


def test_a_hopeless_string_has_a_finite_perplexity() -> None:
    assert np.isfinite(scores([np.array([-1e9])])[0].perplexity)


@pytest.mark.parametrize(
    ("num_chars", "bits", "expected"),
    [
        (4, 4.0, 50.0),
        (4, 3.0, 25.0),
        (4, 0.1, 0.0),
        (4, 99.0, 100.0),
        (64, 2.5, 75.0),
        (1, 4.0, 50.0),
        (500, 2.0, 50.0),
        (16, 3.0, 50.0),  # halfway in the logarithm: the quantiles are 1.5, 3 and 5.5 bits
        (16, 1.5, 0.0),
        (16, 4.25, 75.0),
    ],
)
def test_a_percentile_is_read_off_the_quantiles_of_the_length(
    num_chars: int, bits: float, expected: float
) -> None:
    assert _percentile(TEXT.card(**QUANTILES), num_chars, bits) == expected


def test_an_empty_string_and_a_card_without_quantiles_have_no_percentile() -> None:
    none = percentiles(TEXT.card(**QUANTILES), np.array([0]), np.array([0.0]))
    assert none == percentiles(TEXT.card(), np.array([4]), np.array([1.0])) == [None]


def _percentile(card: Card, num_chars: float, bits: float) -> float:
    (found,) = percentiles(card, np.array([num_chars]), np.array([bits]))
    assert found is not None
    return found


@st.composite
def _cards(draw: st.DrawFn) -> Card:
    """Cards with quantiles of a few lengths, in any order, that rise with the level and may be equal."""
    lengths = draw(st.lists(st.sampled_from([2, 4, 8, 16, 64, 300]), min_size=1, max_size=4, unique=True))
    steps = st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.5]), min_size=5, max_size=5)
    levels = [0.0, 0.1, 0.5, 0.9, 1.0]
    rows = [Quantiles(num_chars=length, bits_per_char=np.cumsum(draw(steps)).tolist()) for length in lengths]
    return TEXT.card(quantile_levels=levels, quantiles=rows)


_SHIPPED = open_graph(Path(__file__).parents[3] / "models" / "names" / "1" / "model.onnx").card
_ANY_CARD = _cards() | st.just(_SHIPPED)
_BITS = st.floats(0, 20)


@given(_ANY_CARD, st.integers(1, 400), _BITS, _BITS)
def test_more_bits_never_have_a_lower_percentile(card: Card, num_chars: int, one: float, two: float) -> None:
    low, high = (_percentile(card, num_chars, bits) for bits in sorted((one, two)))
    assert 0 <= low <= high <= 100


@given(_ANY_CARD, st.integers(1, 400), _BITS)
def test_one_character_more_moves_a_percentile_by_no_more_than_the_quantiles_move(
    card: Card, num_chars: int, bits: float
) -> None:
    """The quantiles of two lengths lie apart by some bits; a step between them is its share of the way."""
    rows = sorted(card.quantiles, key=lambda row: row.num_chars)
    speeds = [
        np.abs(np.subtract(a.bits_per_char, b.bits_per_char)).max() / np.log(b.num_chars / a.num_chars)
        for a, b in pairwise(rows)
    ]
    most = max(speeds, default=0.0) * np.log((num_chars + 1) / num_chars) + 1e-6
    before, after = (
        [_percentile(card, length, bits + shift) for shift in (-most, 0, most)]
        for length in (num_chars, num_chars + 1)
    )
    assert before[0] <= after[1] <= before[2]
    assert after[0] <= before[1] <= after[2]


@pytest.mark.parametrize("measured", [4, 8])
def test_a_percentile_is_continuous_at_a_length_that_was_measured(measured: int) -> None:
    for bits in (2.0, 3.0, 4.0, 5.0):
        near = [_percentile(_SHIPPED, measured * factor, bits) for factor in (1 - 1e-7, 1, 1 + 1e-7)]
        assert max(near) - min(near) <= 0.001


def test_the_same_bits_of_five_and_of_six_characters_have_much_the_same_percentile() -> None:
    """By the nearest length alone they were 34 and 66."""
    found = [_percentile(_SHIPPED, num_chars, 3.45) for num_chars in range(4, 9)]
    assert np.abs(np.diff(found)).max() < 12
    assert sorted(found) == found


@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=20))
def test_a_symbol_is_counted_in_each_string(strings: list[list[int]]) -> None:
    arrays = [np.array(s, dtype=np.int64) for s in strings]
    assert count_each(arrays, 2) == [s.count(2) for s in strings]
    assert count_each(arrays, None) == [0] * len(strings)


def test_many_strings_score_as_each_does() -> None:
    logprobs = [np.log(np.random.default_rng(i).random(i % 7)) for i in range(50)]
    assert [s.logprob for s in scores(logprobs)] == [scores([x])[0].logprob for x in logprobs]


def test_next_characters_are_sorted_with_ties_by_id() -> None:
    line = Vocabulary(("a", "b"), unit="line")
    found = next_chars(np.log([0.25, 0.125, 0.125, 0.5]), line, None)
    assert [(c.char, c.special, c.id) for c in found] == [
        (None, "end", 3),
        ("a", None, 0),
        ("b", None, 1),
        (None, "unknown", 2),
    ]
    assert sum(c.probability for c in found) == pytest.approx(1)
    assert len(next_chars(np.log([0.25, 0.125, 0.125, 0.5]), line, 2)) == 2


def test_entropy_is_in_bits() -> None:
    assert entropy_bits(np.log(np.full(8, 1 / 8))) == pytest.approx(3)


def test_character_scores_name_the_end() -> None:
    line = Vocabulary(("a",), unit="line")
    found = CharScores("ax", np.array([-1.0, -2.0, -3.0]), line)
    assert [(c.char, c.offset, c.logprob, c.special) for c in found] == [
        ("a", 0, -1.0, None),
        ("x", 1, -2.0, None),
        (None, 2, -3.0, "end"),
    ]
