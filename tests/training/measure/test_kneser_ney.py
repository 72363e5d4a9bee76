import numpy as np
import pytest
from numpy.typing import NDArray
from support.tiny_shakespeare import tiny_shakespeare

from nextchar_training.measure.kneser_ney import KneserNey


def _ids(text: str) -> NDArray[np.int64]:
    return np.array([ord(c) - ord("a") for c in text], dtype=np.int64)


def _distribution(model: KneserNey, context: NDArray[np.int64], num_symbols: int) -> NDArray[np.float64]:
    return np.exp([model.logprobs(np.array([s]), context)[0] for s in range(num_symbols)])


def test_a_bigram_worked_by_hand() -> None:
    # abaab: too few counts of counts, so D1 = 0.5, D2 = 1.
    # Bigrams ab 2, ba 1, aa 1. Continuations: a after {b, a} and at the start 3, b after {a} 1.
    # Unigrams: discounts D3+ = 1.5 of a, 0.5 of b: 2 of 4 counts, shared by two symbols.
    # p(a) = (1.5 + 2 / 2) / 4 = 0.625, p(b) = (0.5 + 1) / 4 = 0.375.
    # After a (ab 2, aa 1): 1.5 of 3 counts taken. p(b|a) = (1 + 1.5 * 0.375) / 3.
    model = KneserNey.fit(_ids("abaab"), order=2, num_symbols=2)
    assert np.exp(model.logprobs(_ids("b"))) == pytest.approx([0.375])
    assert np.exp(model.logprobs(_ids("ab"))) == pytest.approx([0.625, (1 + 1.5 * 0.375) / 3])
    assert np.exp(model.logprobs(_ids("a"), _ids("a"))) == pytest.approx([(0.5 + 1.5 * 0.625) / 3])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_distribution_sums_to_one(order: int) -> None:
    random = np.random.default_rng(0)
    ids = random.integers(0, 4, 300)
    model = KneserNey.fit(ids, order=order, num_symbols=6)  # two symbols are never seen
    contexts = [ids[:0], ids[:1], ids[:7], ids[-3:], np.array([5, 5]), np.array([0, 5, 1, 2])]
    for context in contexts:
        assert _distribution(model, context, 6).sum() == pytest.approx(1, abs=1e-12)


def test_begin_is_never_predicted_and_hides_what_is_before_it() -> None:
    random = np.random.default_rng(1)
    lines = [np.concatenate([[5], random.integers(0, 4, random.integers(0, 9)), [4]]) for _ in range(60)]
    model = KneserNey.fit(np.concatenate(lines), order=4, num_symbols=5, begin_id=5)
    for context in (np.array([5]), np.array([5, 0, 1]), np.array([5, 0, 1, 2, 3, 0]), np.array([5, 4])):
        alone = _distribution(model, context, 5)
        assert alone.sum() == pytest.approx(1, abs=1e-12)
        assert _distribution(model, np.concatenate([lines[0], context]), 5) == pytest.approx(alone)
    assert model.logprobs(np.array([5]))[0] == 0.0


def test_a_text_scores_the_same_whole_and_in_pieces() -> None:
    random = np.random.default_rng(2)
    ids = random.integers(0, 5, 400)
    model = KneserNey.fit(ids, order=5, num_symbols=5)
    text = random.integers(0, 5, 60)
    pieces = [model.logprobs(text[i : i + 10], text[:i]) for i in range(0, 60, 10)]
    assert np.concatenate(pieces) == pytest.approx(model.logprobs(text))


def test_large_vocabularies_do_not_overflow_at_high_order() -> None:
    random = np.random.default_rng(3)
    ids = random.integers(0, 60_000, 2_000)
    model = KneserNey.fit(np.concatenate([ids, ids]), order=7, num_symbols=60_000)
    assert np.exp(model.logprobs(ids)[10:]).min() > 0.2


def test_order_7_reaches_the_reference_on_tiny_shakespeare() -> None:
    raw = tiny_shakespeare().read_bytes()
    _, ids = np.unique(np.frombuffer(raw, dtype=np.uint8), return_inverse=True)
    cut = int(len(ids) * 0.9)
    model = KneserNey.fit(ids[:cut], order=7, num_symbols=65)
    assert -model.logprobs(ids[cut:], ids[:cut]).mean() == pytest.approx(1.5165, abs=0.0005)
