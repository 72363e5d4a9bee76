"""Computes scores from log-probabilities, and lists the next characters of a distribution. Pure functions."""

import math
from collections.abc import Sequence

import numpy as np

from nextchar.engine.cooperative import Cooperative
from nextchar.engine.sampler import Doubles, Indices
from nextchar.engine.work import Delivery
from nextchar.model.card import Card
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


def make_scores(
    logprobs: Sequence[Doubles], strings: Sequence[Ids], graph: ModelGraph, *, has_end: bool
) -> Cooperative[list[Score]]:
    """Returns the score of each string's log-probabilities; an empty one has 0 bits per character."""
    scores: list[Score] = []
    while len(scores) < len(strings):
        first = len(scores)
        block = slice(first, first + _num_in_slice(strings[first : first + _A_SLICE]))
        scores += _scores(first, logprobs[block], strings[block], graph, has_end)
        yield
    return scores


def _num_in_slice(strings: Sequence[Ids]) -> int:
    """Returns how many of the first strings are computed at once: one, or more of few characters."""
    ends = np.cumsum([len(ids) for ids in strings])
    return max(1, int(np.searchsorted(ends, _SLICE_CHARS, side="right")))


def _scores(
    first: int, logprobs: Sequence[Doubles], strings: Sequence[Ids], graph: ModelGraph, has_end: bool
) -> list[Score]:
    lengths = np.array([len(values) for values in logprobs])
    totals = np.array([math.fsum(values.tolist()) for values in logprobs])
    nats = np.maximum(0.0, -totals / np.maximum(1, lengths)) + 0.0  # no -0.0
    num_chars = lengths - has_end
    columns = (
        totals.tolist(),
        (nats / LN2).tolist(),
        np.exp(np.minimum(nats, _MAX_EXPONENT)).tolist(),
        num_chars.tolist(),
        count_each(strings, graph.vocabulary.unknown_id),
        percentiles(graph.card, num_chars, nats / LN2),
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
        )
        for i, (total, bits, perplexity, count, unknown, rank) in enumerate(zip(*columns, strict=True), first)
    ]


def count_each(strings: Sequence[Ids], symbol_id: int | None) -> list[int]:
    """Counts a symbol in each string."""
    if symbol_id is None:
        return [0] * len(strings)
    flat = np.concatenate(strings) == symbol_id
    ends = np.cumsum([len(ids) for ids in strings])
    counts = np.diff(np.concatenate([[0], np.cumsum(flat)])[np.concatenate([[0], ends])])
    return [int(count) for count in counts]


def percentiles(card: Card, num_chars: Indices, bits_per_char: Doubles) -> list[float | None]:
    """Returns the percentile of each score among held-out strings of about its length; None for an empty one.

    The card has quantiles of a few lengths. Those of a length in between are interpolated, level by level and
    in the logarithm of the length, since bits per character fall with it; outside, the nearest length counts.
    So a percentile never falls with the bits, and no character more or less makes it jump.
    """
    if not card.quantiles:
        return [None] * len(num_chars)
    measured = sorted(card.quantiles, key=lambda quantiles: quantiles.num_chars)
    quantiles = np.array([entry.bits_per_char for entry in measured])
    lengths = np.log([entry.num_chars for entry in measured])
    place = np.interp(np.log(np.maximum(1, num_chars)), lengths, np.arange(len(lengths)))
    below, part = place.astype(int), (place % 1)[:, None]
    above = np.minimum(below + 1, len(lengths) - 1)
    curves = (1 - part) * quantiles[below] + part * quantiles[above]
    ranks = 100 * _levels(curves, np.asarray(card.quantile_levels), bits_per_char)
    rounded = np.round(ranks, 3).tolist()
    return [rank if count else None for rank, count in zip(rounded, num_chars.tolist(), strict=True)]


def _levels(curves: Doubles, levels: Doubles, values: Doubles) -> Doubles:
    """Returns the level at which each row of rising quantiles [n, levels] has its value [n], interpolated."""
    reached = (curves <= values[:, None]).sum(axis=1)
    first, rows = np.clip(reached - 1, 0, len(levels) - 2), np.arange(len(values))
    low, high = curves[rows, first], curves[rows, first + 1]
    equal = low == high  # only at the ends: the value is beyond both
    inside = np.where(equal, values >= high, (values - low) / np.where(equal, 1.0, high - low))
    between: Doubles = levels[first] + np.clip(inside, 0, 1) * (levels[first + 1] - levels[first])
    return between


def next_chars(distribution: Doubles, vocabulary: Vocabulary, top: int | None) -> NextChars:
    """Returns the symbols in falling order of probability, ties by id."""
    order = np.argsort(-distribution, kind="stable")[:top]
    return NextChars(order, distribution[order], vocabulary)


def entropy_bits(distribution: Doubles) -> float:
    """Returns the Shannon entropy of log-probabilities [num_outputs], in bits."""
    return -math.fsum(np.exp(distribution) * distribution) / LN2
