"""Curves hold for fresh strings, and cross-validation measures what nothing was fitted to."""

import numpy as np
import pytest
from model.judging.tiny_judges import VOCABULARY, bad_strings, normal_strings, scored
from support.tiny_models import BYTES, LINES, TinyModel

from nextchar.model.judging.combination import Curve
from nextchar_training.judging.curves import curve, curve_by_length, false_alarms
from nextchar_training.judging.evaluation import auc, evaluate, hits, roc
from nextchar_training.judging.page import lines, means, report
from nextchar_training.judging.scored import score_list

_DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("num", [300, 4000])
def test_a_curve_gives_the_share_of_strings_with_at_least_a_value(num: int) -> None:
    values = _DRAW.normal(size=num)
    found = Curve(curve(values))
    asked = np.quantile(values, [0.1, 0.5, 0.9, 0.99])
    wanted = [(values >= value).mean() for value in asked]
    assert found.p_values(asked) == pytest.approx(wanted, rel=0.1, abs=0.005)


def test_beyond_the_strings_a_p_value_falls_on_to_a_tenth_of_one_string() -> None:
    values = _DRAW.exponential(size=1000)
    found = Curve(curve(values)).p_values(np.array([5.0, 6.0, 7.0, 50.0]))
    assert found[:3] == pytest.approx(np.exp([-5.0, -6.0, -7.0]), rel=1)
    assert found[3] == pytest.approx(1 / 10_000)
    assert (np.diff(found) < 0).all()


def test_a_curve_by_length_compares_with_strings_of_that_length() -> None:
    lengths = _DRAW.integers(2, 40, size=8000)
    values = _DRAW.normal(size=8000) + 0.2 * lengths
    found = Curve(curve_by_length(values, lengths))
    for length in (3, 10, 30):
        p_value = found.p_values(np.array([0.2 * length]), np.array([length]))
        assert p_value[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("values", [np.zeros(400), np.arange(400) % 2.0])
def test_a_statistic_that_hardly_varies_has_a_curve(values: np.ndarray) -> None:
    found = Curve(curve(values)).p_values(np.array([0.0, 1.0, 5.0]))
    assert found[0] == 1
    assert (np.diff(found) <= 0).all()


def test_the_table_of_thresholds_ends_where_no_string_lies_beyond() -> None:
    scores = np.arange(1.0, 1000.0)
    table = false_alarms(scores)
    assert [row.rate for row in table] == [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]
    for row in table:
        assert (scores >= row.threshold).sum() == int(row.rate * 1000)
        assert row.low < row.rate < row.high


def test_areas_hits_and_curves_are_those_of_their_definitions() -> None:
    normal, bad = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.05, 0.2, 0.35])
    wins = [(b < n) + (b == n) / 2 for b in bad for n in normal]
    assert auc(normal, bad) == pytest.approx(np.mean(wins))
    assert hits(normal, bad, 0.5) == pytest.approx(2 / 3)
    assert roc(normal, [bad], np.array([0.5]))[0] == pytest.approx(2 / 3)


def test_cross_validation_tells_what_is_found_when_nothing_the_kind_or_other_kinds_are_known() -> None:
    normal = scored("normal", list(dict.fromkeys(normal_strings(1500))))
    known = set(normal.texts)
    kinds = {
        "ab": [s for s in dict.fromkeys(f"{s}{k}" for k, s in enumerate(bad_strings(100))) if s not in known],
        "xy": [f"xyz{'cd' * (k % 3 + 1)}{k}" for k in range(100)],
    }
    bad = [scored(name, texts) for name, texts in kinds.items()]
    conditions = evaluate(normal, bad, VOCABULARY)
    assert [c.name for c in conditions] == ["nothing known", "kind known", "kind left out"]
    nothing, known_kind, _ = means(conditions)
    assert known_kind.auc >= nothing.auc
    assert all(0.5 < c.seen_over_asked(0.05) < 1.6 for c in conditions)
    page = report("test", conditions, [])
    assert "kind left out" in page
    assert sum("AUC" in line for line in lines(conditions, [])) == 5


def test_one_kind_alone_cannot_be_left_out_and_no_kind_not_be_known() -> None:
    normal = scored("normal", list(dict.fromkeys(normal_strings(600))))
    bad = [scored("xy", [f"xyz{k}" for k in range(30)])]
    assert [c.name for c in evaluate(normal, bad, VOCABULARY)] == ["nothing known", "kind known"]
    alone = evaluate(normal, [], VOCABULARY)
    assert [c.name for c in alone] == ["nothing known"]
    assert "seen ÷ asked" in report("test", alone, [])


@pytest.mark.parametrize("model", [LINES, BYTES], ids=["characters", "bytes"])
def test_strings_are_fitted_as_a_verdict_reads_them(model: TinyModel) -> None:
    """Of bytes, a string in the model's form must not be made bytes again."""
    graph, texts = model.step(), ["abc", "", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "b"]
    vocabulary = graph.vocabulary
    found = score_list(graph, "texts", [vocabulary.normalize(text) for text in texts])
    assert [ids.tolist() for ids in found.ids] == [ids.tolist() for ids in vocabulary.encode_all(texts)]
    assert found.texts == [vocabulary.normalize(text) for text in texts]
    has_end = vocabulary.end_id is not None
    assert [len(one) for one in found.logprobs] == [len(ids) + has_end for ids in found.ids]
