"""Fits the references of a judge: an n-gram model of each kind of bad strings."""

import numpy as np

from nextchar.model.judging.reference import Floats, Grams, Reference
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar_training.measure.kneser_ney import KneserNey

ORDER = 5
_MAX_LENGTH = 4096
_SPREAD = np.array([0.25, 0.5, 0.25])  # a length that was seen makes its neighbours likely too
_UNSEEN = 2.0  # strings, spread over all lengths up to twice the longest


def fit_reference(name: str, ids: list[Ids], vocabulary: Vocabulary, *, order: int = ORDER) -> Reference:
    """Fits an interpolated modified Kneser-Ney n-gram and a distribution of lengths to strings of ids."""
    begin = np.full(1, vocabulary.begin_id, dtype=np.int64)
    text = np.concatenate([part for string in ids for part in (begin, string)])
    model = KneserNey.fit(text, order=order, num_symbols=vocabulary.num_outputs, begin_id=vocabulary.begin_id)
    grams = tuple(
        Grams(
            keys,
            np.log(np.maximum(table.probability, 1e-30)).astype(np.float32),
            np.log(np.maximum(table.backoff, 1e-30)).astype(np.float32),
        )
        for keys, table in zip(model.keys, model.tables(), strict=True)
    )
    lengths = np.empty(0, dtype=np.float32)
    if vocabulary.end_id is not None:
        lengths = _log_lengths(np.array([len(string) for string in ids]))
    return Reference(name, vocabulary.begin_id, _unseen(model, text), grams, lengths)


def _unseen(model: KneserNey, text: Ids) -> float:
    """Returns log p of a symbol that the text does not have; 0 if it has all, where it is not asked for."""
    missing = np.setdiff1d(np.arange(model.num_symbols), text)[:1]
    return float(model.logprobs(missing)[0]) if len(missing) else 0.0


def _log_lengths(lengths: Ids) -> Floats:
    size = int(min(2 * lengths.max() + 2, _MAX_LENGTH))
    counts = np.bincount(np.minimum(lengths, size - 1), minlength=size).astype(np.float64)
    spread = np.convolve(counts, _SPREAD, "same") + _UNSEEN / size
    found: Floats = np.log(spread / spread.sum()).astype(np.float32)
    return found
