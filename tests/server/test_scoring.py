import numpy as np
import pytest
from tiny_models import TEXT

from nextchar.modelfile import Quantiles
from nextchar.scoring import char_scores, entropy_bits, make_score, next_chars, percentile
from nextchar.vocabulary import Vocabulary

CARD = TEXT.card(
    quantile_levels=[0.0, 0.5, 1.0],
    quantiles=[
        Quantiles(num_chars=4, bits_per_char=[2.0, 4.0, 8.0]),
        Quantiles(num_chars=64, bits_per_char=[1.0, 2.0, 3.0]),
    ],
)


def test_a_score_is_a_sum_and_its_means() -> None:
    score = make_score(3, np.log([0.5, 0.25]), 2, 1, TEXT.card())
    assert score.logprob == pytest.approx(np.log(0.125))
    assert score.bits_per_char == pytest.approx(1.5)
    assert score.perplexity == pytest.approx(2**1.5)
    assert (score.index, score.num_chars, score.num_unknown, score.percentile) == (3, 2, 1, None)


def test_an_empty_string_has_a_defined_score() -> None:
    score = make_score(0, np.empty(0), 0, 0, CARD)
    assert (score.logprob, score.bits_per_char, score.perplexity) == (0.0, 0.0, 1.0)
    assert score.percentile is None
    assert str(score.bits_per_char) == "0.0"


def test_a_hopeless_string_has_a_finite_perplexity() -> None:
    assert np.isfinite(make_score(0, np.array([-1e9]), 1, 0, CARD).perplexity)


@pytest.mark.parametrize(
    ("num_chars", "bits", "expected"),
    [(4, 4.0, 50.0), (5, 3.0, 25.0), (4, 0.1, 0.0), (4, 99.0, 100.0), (64, 2.5, 75.0), (500, 2.0, 50.0)],
)
def test_a_percentile_is_read_off_the_nearest_length(num_chars: int, bits: float, expected: float) -> None:
    assert percentile(CARD, num_chars, bits) == expected


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
    found = char_scores("ax", np.array([0, 1, 2]), np.array([-1.0, -2.0, -3.0]), line)
    assert [(c.char, c.offset, c.logprob, c.special) for c in found] == [
        ("a", 0, -1.0, None),
        ("x", 1, -2.0, None),
        (None, 2, -3.0, "end"),
    ]
