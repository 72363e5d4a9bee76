"""The parts of a judge compute what their formulas say, string by string."""

import math
import random

import numpy as np
import pytest
from model.judging.tiny_judges import VOCABULARY, bad_strings

from nextchar.model.judging import reference_set
from nextchar.model.judging.intervals import clopper_pearson
from nextchar.model.judging.reference import Reference, references_from_bytes, references_to_bytes
from nextchar.model.judging.reference_set import ReferenceSet
from nextchar.model.judging.statistics import WINDOW, statistics_of
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids
from nextchar_training.judging.references import fit_reference
from nextchar_training.measure.kneser_ney import KneserNey

_DRAW = np.random.default_rng(0)
TEXTS = ["a", "ab.cde.fg", "...", "abcdefghijkl", "abcdefgh", "one two-three four_5 six", "..abc", "abc.de"]


def logprobs_of(reference: Reference, strings: list[Ids]) -> Doubles:
    return ReferenceSet([reference]).logprobs(strings)[:, 0]


@pytest.mark.parametrize("end", [0, 1])
def test_the_statistics_of_many_strings_are_those_of_each(end: int) -> None:
    logprobs = [-_DRAW.exponential(size=len(t) + end) for t in TEXTS]
    found = statistics_of(TEXTS, logprobs)
    for k, (text, given) in enumerate(zip(TEXTS, logprobs, strict=True)):
        surprise, parts, begin = -given, [], 0
        for i, c in enumerate(text):
            if not (c.isalnum() or c in "-_") and i + 1 < len(given):
                parts.append(surprise[begin : i + 1])
                begin = i + 1
        parts.append(surprise[begin:])
        longest = max(parts, key=len)
        windows = [surprise[i : i + WINDOW].sum() for i in range(max(1, len(given) - WINDOW + 1))]
        assert found.length[k] == len(given)
        assert found.total[k] == pytest.approx(surprise.sum())
        assert found.mean[k] == pytest.approx(surprise.mean())
        assert found.part_length[k] == len(longest)
        assert found.part_mean[k] == pytest.approx(longest.mean())
        assert found.window[k] == pytest.approx(max(windows) / WINDOW)


def test_a_reference_has_the_probabilities_of_the_kneser_ney_model_that_it_was_made_of() -> None:
    strings, begin = VOCABULARY.encode_all(bad_strings(100)), [VOCABULARY.begin_id]
    text = np.concatenate([part for s in strings for part in (begin, s)]).astype(np.int64)
    model = KneserNey.fit(text, order=4, num_symbols=VOCABULARY.num_outputs, begin_id=VOCABULARY.begin_id)
    reference = fit_reference("ab", strings, VOCABULARY, order=4)
    draw = random.Random(5)
    others = ["".join(draw.choices("abcdxyz.", k=draw.randint(0, 9))) for _ in range(50)]
    for ids in [*strings[:20], *VOCABULARY.encode_all(others)]:
        wanted = model.logprobs(np.concatenate([begin, ids]).astype(np.int64)).sum()
        lengths = reference.lengths[min(len(ids), len(reference.lengths) - 1)]
        assert logprobs_of(reference, [ids])[0] == pytest.approx(wanted + lengths, abs=1e-4)


def test_a_reference_gives_all_lengths_together_the_probability_one() -> None:
    reference = fit_reference("ab", VOCABULARY.encode_all(bad_strings(100)), VOCABULARY)
    assert np.exp(reference.lengths.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("is_small", [True, False])
def test_references_together_have_the_probabilities_of_each(
    monkeypatch: pytest.MonkeyPatch, is_small: bool
) -> None:
    monkeypatch.setattr(reference_set, "_MAX_MATRIX", 2**21 if is_small else 0)
    monkeypatch.setattr(reference_set, "_MAX_VALUES", 2**22 if is_small else 100)
    draw = random.Random(6)
    others = ["".join(draw.choices("abcdxyz.☃", k=draw.randint(0, 9))) for _ in range(80)]
    ids, noise = VOCABULARY.encode_all(bad_strings(100)), VOCABULARY.encode_all(others)
    references = [
        fit_reference("one", ids[:50], VOCABULARY),
        fit_reference("two", ids[50:], VOCABULARY, order=2),
        fit_reference("three", noise[:30], VOCABULARY, order=3),
    ]
    strings = [*ids, *noise]
    each = np.stack([logprobs_of(reference, strings) for reference in references], axis=1)
    assert ReferenceSet(references).logprobs(strings) == pytest.approx(each)


def test_references_are_the_same_after_they_were_written_and_read() -> None:
    ids = VOCABULARY.encode_all(bad_strings(100))
    made = [fit_reference("one", ids[:50], VOCABULARY), fit_reference("two", ids[50:], VOCABULARY, order=2)]
    read = references_from_bytes(references_to_bytes(made))
    assert [r.name for r in read] == ["one", "two"]
    for a, b in zip(made, read, strict=True):
        assert (logprobs_of(a, ids) == logprobs_of(b, ids)).all()
        assert len(a.grams) == len(b.grams)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # of R's binom.test
        (0, 10, 0.0, 0.3084971),
        (3, 10, 0.0667395, 0.6524529),
        (10, 10, 0.6915029, 1.0),
        (5, 4703, 0.000345285, 0.002479411),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(k: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(k, n) == pytest.approx((low, high), rel=1e-3)


def test_an_interval_solves_the_binomial_tails() -> None:
    low, high = clopper_pearson(7, 40)
    at_least = sum(math.comb(40, j) * low**j * (1 - low) ** (40 - j) for j in range(7, 41))
    at_most = sum(math.comb(40, j) * high**j * (1 - high) ** (40 - j) for j in range(8))
    assert at_least == pytest.approx(0.025, abs=1e-6)
    assert at_most == pytest.approx(0.025, abs=1e-6)
