import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_lanes import GRAPH, at_once
from support.tiny_models import TEXT

from nextchar.model.card import Quantiles
from nextchar.model.strings import Strings
from nextchar.model.surprise.calibration import calibration_card, calibration_of
from nextchar.model.surprise.fit import fit_curves
from nextchar.model.vocabulary import Vocabulary
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas.base import make_usage
from nextchar.schemas.json_pieces import json_pieces
from nextchar.schemas.protobuf import to_message
from nextchar.schemas.score import Score, ScoreResponse
from nextchar.service.inference.score_math import (
    count_each,
    entropy_bits,
    exact_sums,
    make_scores,
    next_chars,
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


def scores(
    logprobs: list[np.ndarray],
    strings: list[list[int]] | None = None,
    *,
    has_end: bool = False,
    from_begin: bool = True,
    **card: object,
) -> list[Score]:
    graph = replace(GRAPH, card=TEXT.card(**card))
    given_ids = strings or [[0] * len(x) for x in logprobs]
    ends = [[0] * (len(x) - len(string)) for x, string in zip(logprobs, given_ids, strict=True)]
    ids = [np.array(string + end, dtype=np.int64) for string, end in zip(given_ids, ends, strict=True)]
    flat = np.concatenate([np.empty(0), *logprobs])
    return list(at_once(make_scores(flat, Strings.of(ids), graph, has_end=has_end, from_begin=from_begin)))


def test_a_score_is_a_sum_and_its_means() -> None:
    _, score = scores([np.empty(0), np.log([0.5, 0.25])], [[], [0, UNKNOWN]])
    assert score.logprob == pytest.approx(np.log(0.125))
    assert score.bits_per_char == pytest.approx(1.5)
    assert score.perplexity == pytest.approx(2**1.5)
    assert (score.index, score.num_chars, score.num_unknown) == (1, 2, 1)
    assert (score.percentile, score.p_value) == (None, None)


def test_an_empty_string_has_a_defined_score() -> None:
    (score,) = scores([np.empty(0)], **QUANTILES)
    assert (score.logprob, score.bits_per_char, score.perplexity) == (0.0, 0.0, 1.0)
    assert score.percentile is None
    assert str(score.bits_per_char) == "0.0"


def test_a_hopeless_string_has_a_finite_perplexity() -> None:
    assert np.isfinite(scores([np.array([-1e9])])[0].perplexity)


def test_scores_have_what_the_calibration_says() -> None:
    logprobs = [np.array([-1.0, -2.0]), np.array([-3.0] * 5), np.empty(0)]
    found = scores(logprobs, **QUANTILES)
    calibration = calibration_of(TEXT.card(**QUANTILES))
    assert calibration is not None
    lengths, totals = np.array([2, 5]), np.array([-3.0, -15.0])
    assert [s.percentile for s in found[:2]] == calibration.percentiles(lengths, totals).round(3).tolist()
    assert [s.p_value for s in found[:2]] == pytest.approx(calibration.p_values(lengths, totals), rel=1e-5)
    assert (found[2].percentile, found[2].p_value) == (None, None)


def test_a_score_after_a_context_has_no_percentile_and_no_p_value() -> None:
    (score,) = scores([np.array([-1.0, -2.0])], from_begin=False, **QUANTILES)
    assert (score.percentile, score.p_value) == (None, None)


def test_the_end_is_left_out_where_the_card_was_measured_without_it() -> None:
    """The score counts it; what it is compared with does not, so neither do its two figures."""
    (without,), (with_end,) = (
        scores([np.array(values)], [[0, 0]], has_end=len(values) == 3, **QUANTILES)
        for values in ([-1.0, -2.0], [-1.0, -2.0, -30.0])
    )
    assert with_end.logprob == -33
    assert (with_end.percentile, with_end.p_value) == (without.percentile, without.p_value)


def test_the_end_counts_where_the_card_was_measured_with_it() -> None:
    random = np.random.default_rng(0)
    plain, ends = (fit_curves(np.full(500, n), random.normal(3, 1, 500)) for n in (2, 3))
    assert plain is not None
    assert ends is not None
    card = {"calibration": calibration_card(plain, ends)}
    (likely,), (unlikely,) = (
        scores([np.array([-2.0, -2.0, end])], [[0, 0]], has_end=True, **card) for end in (-2.0, -8.0)
    )
    assert likely.p_value is not None
    assert unlikely.p_value is not None
    assert unlikely.p_value < likely.p_value


@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=20))
def test_a_symbol_is_counted_in_each_string(strings: list[list[int]]) -> None:
    arrays = [np.array(s, dtype=np.int64) for s in strings]
    assert count_each(Strings.of(arrays), 2) == [s.count(2) for s in strings]
    assert count_each(Strings.of(arrays), None) == [0] * len(strings)


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


_FLOATS = st.one_of(
    st.floats(-300, 0, width=32),
    st.floats(-(2.0**-20), 0, width=32),
    st.sampled_from([0.0, -0.0, -(2.0**-43), -(2.0**-44), -1023.75, -1e9, -1e-30]),
    st.floats(-1e30, 1e3),
)


@settings(max_examples=500)
@given(st.lists(st.lists(_FLOATS, max_size=12), min_size=1, max_size=12))
def test_sums_are_rounded_once(strings: list[list[float]]) -> None:
    flat = np.array([x for string in strings for x in string], dtype=np.float64)
    found = exact_sums(flat, Strings.of([np.zeros(len(string), dtype=np.int64) for string in strings]))
    assert [repr(total) for total in found.tolist()] == [repr(math.fsum(string)) for string in strings]


@pytest.mark.parametrize("has_end", [False, True])
@pytest.mark.parametrize("calibrated", [False, True])
def test_rows_are_written_as_the_scores_that_they_list(has_end: bool, calibrated: bool) -> None:
    """To the byte: from columns, and from an object for each string."""
    random = np.random.default_rng(7)
    ids = Strings.of([random.integers(0, 20, k % 9 + has_end) for k in range(300)])
    logprobs = -random.exponential(3, len(ids.flat)).astype(np.float32).astype(np.float64)
    graph = replace(GRAPH, card=TEXT.card(**QUANTILES) if calibrated else TEXT.card())
    rows = at_once(make_scores(logprobs, ids, graph, has_end=has_end, from_begin=True))
    answer = {"model": "m", "model_version": "1", "begins_after": "begin", "includes_end": has_end}
    lazy = ScoreResponse(**answer, data=rows, usage=make_usage(7))
    whole = ScoreResponse(**answer, data=list(rows), usage=make_usage(7))
    assert isinstance(whole.data, list)
    assert b"".join(json_pieces(lazy)) == whole.model_dump_json().encode() == lazy.model_dump_json().encode()
    assert to_message(lazy, pb.ScoreResponse) == to_message(whole, pb.ScoreResponse)
    assert [score.index for score in rows] == list(range(300))


@given(st.lists(st.lists(st.floats(-50, 0, width=32), max_size=9), min_size=1, max_size=40))
def test_scores_from_columns_are_those_of_one_string_at_a_time(strings: list[list[float]]) -> None:
    """The old way, written down: a sum, a mean and a perplexity of each."""
    found = scores([np.array(string, dtype=np.float64) for string in strings])
    for string, score in zip(strings, found, strict=True):
        total = math.fsum(string)
        nats = max(0.0, -total / max(1, len(string))) + 0.0
        assert (score.logprob, score.bits_per_char) == (total, nats / math.log(2))
        assert score.perplexity == float(np.exp(np.minimum(nats, 700.0)))
        assert score.num_chars == len(string)
