"""Strings of a text that is learned are judged by their rank, whatever the judge was calibrated on."""

import math

import numpy as np
import pytest
from model.judging.tiny_judges import VOCABULARY, judge, logprobs_of, normal_strings

from nextchar.model.judging.intervals import clopper_pearson
from nextchar.model.judging.judge import Judge
from nextchar.model.judging.ordered import MAX_SCORES, nothing_read, verdicts_in_order
from nextchar.model.judging.verdicts import Verdicts
from nextchar.model.surprise.online_scores import OnlineScores
from nextchar.model.vocabulary import Ids


def learned_logprobs(strings: list[str], seed: int = 3) -> list[np.ndarray]:
    """Log-probabilities that are no multiples of each other, so that few scores are equal."""
    draw = np.random.default_rng(seed)
    return [logprobs_of(s) - draw.exponential(0.3, len(s) + 1) for s in strings]


def judged(
    found: Judge,
    strings: list[str],
    logprobs: list[np.ndarray],
    read: OnlineScores | None = None,
    rate: float | None = None,
) -> tuple[Verdicts, OnlineScores]:
    ids: list[Ids] = VOCABULARY.encode_all(strings)
    return verdicts_in_order(found, strings, ids, logprobs, read or nothing_read(), false_alarm_rate=rate)


@pytest.mark.parametrize("knows_bad", [False, True])
def test_the_score_is_the_judges_and_the_p_value_its_rank(knows_bad: bool) -> None:
    found, strings = judge(knows_bad=knows_bad), normal_strings(300, seed=5)
    logprobs = learned_logprobs(strings)
    verdicts, read = judged(found, strings, logprobs, rate=0.05)
    plain = found.verdicts(strings, logprobs, false_alarm_rate=0.05)
    assert verdicts.score.tolist() == plain.score.tolist()
    assert verdicts.kinds == plain.kinds
    # In order of score, and of surprise per symbol among equal ones.
    order = np.lexsort((-np.array([one.mean() for one in logprobs]), plain.score))
    ranks, _ = nothing_read().ranked(np.argsort(order).astype(float))
    assert verdicts.p_value.tolist() == [rank.p_value for rank in ranks]
    assert verdicts.is_flagged.tolist() == [rank.p_value <= 0.05 for rank in ranks]
    bounds = [clopper_pearson(rank.num_at_least, rank.num_compared) for rank in ranks]
    assert list(zip(verdicts.low.tolist(), verdicts.high.tolist(), strict=True)) == bounds
    assert ((verdicts.low <= verdicts.p_value) & (verdicts.p_value <= verdicts.high)).all()
    assert verdicts.asked.low < 0.05 < verdicts.asked.high
    assert read.num_read == 300
    assert verdicts.why(7).evidence == plain.why(7).evidence


def test_of_strings_in_any_order_a_share_u_is_flagged_at_the_rate_u() -> None:
    strings = normal_strings(8000, seed=6)
    verdicts, _ = judged(judge(), strings, learned_logprobs(strings))
    late = verdicts.p_value[2 * MAX_SCORES :]
    for rate in (0.01, 0.05, 0.2):
        error = 4 * math.sqrt(rate * (1 - rate) / len(late))
        assert rate - 1 / (MAX_SCORES + 1) - error <= (late <= rate).mean() <= rate + error, rate


def test_strings_that_surprise_less_than_any_normal_one_are_flagged_at_the_rate_too() -> None:
    """They are those of a text that is well learned: all have the score 0."""
    strings, draw = normal_strings(4000, seed=6), np.random.default_rng(3)
    logprobs = [-draw.exponential(0.01, len(s) + 1) for s in strings]
    verdicts, _ = judged(judge(), strings, logprobs)
    assert (verdicts.score == 0).mean() > 0.99
    late = verdicts.p_value[2 * MAX_SCORES :]
    for rate in (0.05, 0.2, 0.5):
        error = 4 * math.sqrt(rate * (1 - rate) / len(late))
        assert rate - 1 / (MAX_SCORES + 1) - error <= (late <= rate).mean() <= rate + error, rate


@pytest.mark.parametrize("cut", [1, 100, 299])
def test_a_text_in_pieces_is_judged_as_a_whole(cut: int) -> None:
    found, strings = judge(), normal_strings(300, seed=5)
    logprobs = learned_logprobs(strings)
    whole, _ = judged(found, strings, logprobs)
    first, read = judged(found, strings[:cut], logprobs[:cut])
    rest, _ = judged(found, strings[cut:], logprobs[cut:], read)
    for name in ("score", "p_value", "low", "high", "is_flagged"):
        pieces = [*getattr(first, name).tolist(), *getattr(rest, name).tolist()]
        assert pieces == getattr(whole, name).tolist(), name
    assert (rest.asked.low, rest.asked.high) == (whole.asked.low, whole.asked.high)


def test_it_says_how_many_strings_must_be_read_before_one_can_be_flagged() -> None:
    found, strings = judge(), normal_strings(60, seed=5)
    verdicts, read = judged(found, [*strings[:37], "zz.zz.xyz"], learned_logprobs([*strings[:37], "z" * 9]))
    assert verdicts.asked.warning is not None
    assert "no string can be flagged before 197 strings were read" in verdicts.asked.warning
    assert "before these, 0 were" in verdicts.asked.warning
    assert not verdicts.is_flagged.any()
    soon, _ = judged(found, strings, learned_logprobs(strings), rate=0.05)
    assert soon.asked.warning is not None
    assert "before 37 strings were read" in soon.asked.warning
    assert not soon.is_flagged[:37].any()
    later, _ = judged(found, ["zz.zz.xyz"], learned_logprobs(["z" * 9]), read, rate=0.06)
    assert later.asked.warning is None
    never, _ = judged(found, strings, learned_logprobs(strings), rate=1e-4)
    assert never.asked.warning is not None
    assert "compares each with 1,024 at most, so that its finest rate is 0.00098" in never.asked.warning


def test_a_string_without_a_symbol_is_not_counted() -> None:
    """As an empty one is for a model of running text."""
    found, strings = judge(), normal_strings(20, seed=5)
    logprobs = learned_logprobs(strings)
    whole, _ = judged(found, strings, logprobs)
    mixed, read = judged(
        found, ["", *strings[:9], "", *strings[9:]], [np.empty(0), *logprobs[:9], np.empty(0), *logprobs[9:]]
    )
    assert read.num_read == 20
    assert np.delete(mixed.p_value, [0, 10]).tolist() == whole.p_value.tolist()
    assert mixed.p_value[[0, 10]].tolist() == [1.0, 1.0]
    assert (mixed.low[10], mixed.high[10]) == (0.0, 1.0)
