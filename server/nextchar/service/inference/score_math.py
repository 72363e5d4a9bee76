"""Computes scores from log-probabilities, and lists the next characters of a distribution. Pure functions."""

import math
from collections.abc import Sequence

import numpy as np

from nextchar.engine.cooperative import Cooperative
from nextchar.engine.sampler import Doubles, Indices
from nextchar.engine.work import Delivery
from nextchar.model.calibration import Calibration
from nextchar.model.graph import ModelGraph
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.schemas.score import Score
from nextchar.service.inference.score_rows import NextChars

LN2 = math.log(2)
_A_SLICE = 128  # strings
_SLICE_CHARS = 65_536
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
    logprobs: Sequence[Doubles],
    strings: Sequence[Ids],
    graph: ModelGraph,
    *,
    has_end: bool,
    from_begin: bool,
    model_logprobs: Sequence[Doubles] | None = None,
) -> Cooperative[list[Score]]:
    """Returns the score of each string's log-probabilities; an empty one has 0 bits per character.

    `model_logprobs` are the network's own, of strings that are learned. Only scores `from_begin`, not after a
    context or a state, have a percentile and a p-value.
    """
    scores: list[Score] = []
    while len(scores) < len(strings):
        first = len(scores)
        block = slice(first, first + _num_in_slice(strings[first : first + _A_SLICE]))
        found = _scores(first, logprobs[block], strings[block], graph, has_end, from_begin)
        scores += found if model_logprobs is None else _with_own(found, model_logprobs[block])
        yield
    return scores


def _with_own(scores: list[Score], model_logprobs: Sequence[Doubles]) -> list[Score]:
    return [
        score.model_copy(update={"model_logprob": math.fsum(values.tolist())})
        for score, values in zip(scores, model_logprobs, strict=True)
    ]


def _num_in_slice(strings: Sequence[Ids]) -> int:
    """Returns how many of the first strings are computed at once: one, or more of few characters."""
    ends = np.cumsum([len(ids) for ids in strings])
    return max(1, int(np.searchsorted(ends, _SLICE_CHARS, side="right")))


def _scores(
    first: int,
    logprobs: Sequence[Doubles],
    strings: Sequence[Ids],
    graph: ModelGraph,
    has_end: bool,
    from_begin: bool,
) -> list[Score]:
    lengths = np.array([len(values) for values in logprobs])
    totals = np.array([math.fsum(values.tolist()) for values in logprobs])
    nats = np.maximum(0.0, -totals / np.maximum(1, lengths)) + 0.0  # no -0.0
    num_chars = lengths - has_end
    calibration, ends = graph.calibration if from_begin else None, np.zeros(len(lengths))
    counts_end = has_end and calibration is not None and calibration.counts_end
    if has_end and not counts_end:
        ends = np.array([values[-1] for values in logprobs])
    columns = (
        totals.tolist(),
        (nats / LN2).tolist(),
        np.exp(np.minimum(nats, _MAX_EXPONENT)).tolist(),
        num_chars.tolist(),
        count_each(strings, graph.vocabulary.unknown_id),
        *unusualness(calibration, num_chars, totals - ends, includes_end=counts_end),
    )
    return [
        Score(
            index=i,
            logprob=total,
            bits_per_char=bits,
            perplexity=perplexity,
            num_chars=count,
            num_unknown=unknown,
            percentile=rank,
            p_value=share,
        )
        for i, (total, bits, perplexity, count, unknown, rank, share) in enumerate(
            zip(*columns, strict=True), first
        )
    ]


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


def count_each(strings: Sequence[Ids], symbol_id: int | None) -> list[int]:
    """Counts a symbol in each string."""
    if symbol_id is None:
        return [0] * len(strings)
    flat = np.concatenate(strings) == symbol_id
    ends = np.cumsum([len(ids) for ids in strings])
    counts = np.diff(np.concatenate([[0], np.cumsum(flat)])[np.concatenate([[0], ends])])
    return [int(count) for count in counts]


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
