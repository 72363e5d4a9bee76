"""Computes scores from log-probabilities, and lists the next characters of a distribution. Pure functions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nextchar.engine.cooperative import Cooperative
from nextchar.engine.sampler import Doubles, Indices
from nextchar.engine.work import Delivery
from nextchar.model.graph import ModelGraph
from nextchar.model.strings import Ids, Strings
from nextchar.model.surprise.calibration import Calibration
from nextchar.model.vocabulary import Vocabulary
from nextchar.service.inference.score_rows import NextChars, ScoreRows

LN2 = math.log(2)
_A_SLICE = 512  # strings
_SLICE_CHARS = 16_384
_GRID, _MAX_EXACT = 2.0**43, 2.0**10
_MAX_EXPONENT = 700.0  # e^709 is the largest double


def joined_logprobs(deliveries: Sequence[Delivery]) -> Doubles:
    """Returns the log-probabilities of all deliveries."""
    if len(deliveries) == 1:
        return deliveries[0].logprobs
    return np.concatenate([delivery.logprobs for delivery in deliveries])


def joined_model_logprobs(deliveries: Sequence[Delivery]) -> Doubles | None:
    """Returns the network's own log-probabilities of all deliveries of an adaptive lane; None of another."""
    found = [delivery.model_logprobs for delivery in deliveries if delivery.model_logprobs is not None]
    assert len(found) in (0, len(deliveries))
    return np.concatenate(found) if found else None


def make_scores(
    logprobs: Doubles,
    strings: Strings,
    graph: ModelGraph,
    *,
    has_end: bool,
    from_begin: bool,
    model_logprobs: Doubles | None = None,
) -> Cooperative[ScoreRows]:
    """Returns the score of each string, from the log-probabilities of all their symbols, string after string.

    An empty string has 0 bits per character. `model_logprobs` are the network's own, of strings that are
    learned. Only scores `from_begin`, not after a context or a state, have a percentile and a p-value.
    """
    scores, first = ScoreRows(), 0
    while first < len(strings):
        last = first + _num_in_slice(strings.lengths[first : first + _A_SLICE])
        symbols, part = slice(strings.starts[first], strings.starts[last]), strings[first:last]
        own = None if model_logprobs is None else exact_sums(model_logprobs[symbols], part).tolist()
        scores.extend(
            **_columns(logprobs[symbols], part, graph, has_end, from_begin),
            model_logprob=own or [None] * len(part),
        )
        first = last
        yield
    return scores


def _num_in_slice(lengths: Ids) -> int:
    """Returns how many of the first strings are computed at once: one, or more of few characters."""
    return max(1, int(np.searchsorted(np.cumsum(lengths), _SLICE_CHARS, side="right")))


def exact_sums(values: Doubles, strings: Strings) -> Doubles:
    """Returns the sum of each string's values, rounded once, as `math.fsum` does.

    Doubles add multiples of 2^-43 without an error while the sum is below 2^10. All float32 numbers of at
    least 2^-20 are such multiples; strings that have others, or more, are summed by `math.fsum`.
    """
    totals = strings.sums(values) + 0.0  # no -0.0
    scaled = values * _GRID
    exact = strings.sums((scaled != np.rint(scaled)).astype(np.int64)) == 0
    exact &= strings.sums(np.abs(values)) < _MAX_EXACT
    for k in np.flatnonzero(~exact).tolist():
        totals[k] = math.fsum(values[strings.starts[k] : strings.starts[k + 1]].tolist())
    return totals


def _columns(
    logprobs: Doubles, strings: Strings, graph: ModelGraph, has_end: bool, from_begin: bool
) -> dict[str, list[Any]]:
    lengths, totals = strings.lengths, exact_sums(logprobs, strings)
    nats = np.maximum(0.0, -totals / np.maximum(1, lengths)) + 0.0  # no -0.0
    num_chars = lengths - has_end
    calibration, ends = graph.calibration if from_begin else None, np.zeros(len(lengths))
    counts_end = has_end and calibration is not None and calibration.counts_end
    if has_end and not counts_end:
        ends = logprobs[strings.starts[1:] - 1]
    ranks, shares = unusualness(calibration, num_chars, totals - ends, includes_end=counts_end)
    return {
        "logprob": totals.tolist(),
        "bits_per_char": (nats / LN2).tolist(),
        "perplexity": np.exp(np.minimum(nats, _MAX_EXPONENT)).tolist(),
        "num_chars": num_chars.tolist(),
        "num_unknown": count_each(strings, graph.vocabulary.unknown_id),
        "percentile": ranks,
        "p_value": shares,
    }


def unusualness(
    calibration: Calibration | None, num_chars: Indices, logprobs: Doubles, *, includes_end: bool
) -> tuple[list[float | None], list[float | None]]:
    """Returns the percentiles and the p-values of strings: None for an empty one, or without calibration."""
    if calibration is None:
        return [None] * len(num_chars), [None] * len(num_chars)
    ranks = np.round(calibration.percentiles(num_chars, logprobs, includes_end=includes_end), 3).tolist()
    shares = calibration.p_values(num_chars, logprobs, includes_end=includes_end).tolist()
    return (
        [rank if count else None for rank, count in zip(ranks, num_chars.tolist(), strict=True)],
        [float(f"{p:.6g}") if count else None for p, count in zip(shares, num_chars.tolist(), strict=True)],
    )


def count_each(strings: Strings, symbol_id: int | None) -> list[int]:
    """Counts a symbol in each string."""
    if symbol_id is None:
        return [0] * len(strings)
    counts: list[int] = strings.sums((strings.flat == symbol_id).astype(np.int64)).tolist()
    return counts


def next_chars(
    distribution: Doubles,
    vocabulary: Vocabulary,
    top: int | None,
    model_distribution: Doubles | None = None,
) -> NextChars:
    """Returns the symbols in falling order of probability, ties by id; and the network's own."""
    order = np.argsort(-distribution, kind="stable")[:top]
    own = None if model_distribution is None else model_distribution[order]
    return NextChars(order, distribution[order], vocabulary, own)


def entropy_bits(distribution: Doubles) -> float:
    """Returns the Shannon entropy of log-probabilities [num_outputs], in bits."""
    return -math.fsum(np.exp(distribution) * distribution) / LN2
