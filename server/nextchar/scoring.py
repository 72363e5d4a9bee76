"""From a lane's deliveries to a score, and from a distribution to the next characters. Pure."""

import math
from collections.abc import Sequence

import numpy as np

from nextchar.lane import Delivery
from nextchar.modelfile import Card
from nextchar.sampler import Doubles
from nextchar.schemas import CharScore, NextChar, Score
from nextchar.vocabulary import Ids, Vocabulary

LN2 = math.log(2)
_MAX_EXPONENT = 700.0  # e^709 is the largest double


def joined_logprobs(deliveries: Sequence[Delivery], num_skipped: int) -> Doubles:
    """The log-probabilities of all deliveries after the first `num_skipped`."""
    if len(deliveries) == 1:
        return deliveries[0].logprobs[num_skipped:]
    return np.concatenate([delivery.logprobs for delivery in deliveries])[num_skipped:]


def make_score(index: int, logprobs: Doubles, num_chars: int, num_unknown: int, card: Card) -> Score:
    """A string's score from the log-probabilities of its symbols; an empty one has 0 bits a character."""
    logprob = math.fsum(logprobs)
    nats = max(0.0, -logprob / max(1, len(logprobs)))
    return Score(
        index=index,
        logprob=logprob,
        bits_per_char=nats / LN2,
        perplexity=math.exp(min(nats, _MAX_EXPONENT)),
        num_chars=num_chars,
        num_unknown=num_unknown,
        percentile=percentile(card, num_chars, nats / LN2),
    )


def percentile(card: Card, num_chars: int, bits_per_char: float) -> float | None:
    """Where a score lies among held-out strings of the length nearest to this one's."""
    if not card.quantiles or num_chars == 0:
        return None
    nearest = min(card.quantiles, key=lambda q: abs(math.log(q.num_chars / num_chars)))
    levels = 100.0 * np.asarray(card.quantile_levels)
    return round(float(np.interp(bits_per_char, nearest.bits_per_char, levels)), 3)


def char_scores(text: str, ids: Ids, logprobs: Doubles, vocabulary: Vocabulary) -> list[CharScore]:
    """One entry a character of the normalised text, then one for the end symbol if it was scored."""
    return [
        CharScore(
            char=text[k] if k < len(text) else None,
            offset=k,
            logprob=float(logprobs[k]),
            special=None if k < len(text) else vocabulary.special(int(ids[k])),
        )
        for k in range(len(ids))
    ]


def next_chars(distribution: Doubles, vocabulary: Vocabulary, top: int | None) -> list[NextChar]:
    """The symbols in falling order of probability, ties by id."""
    order = np.argsort(-distribution, kind="stable")[:top]
    return [
        NextChar(
            char=None if vocabulary.special(i) else vocabulary.symbol(i),
            id=i,
            logprob=float(distribution[i]),
            probability=math.exp(distribution[i]),
            special=vocabulary.special(i),
        )
        for i in order.tolist()
    ]


def entropy_bits(distribution: Doubles) -> float:
    """Shannon entropy of log-probabilities [num_outputs], in bits."""
    return -math.fsum(np.exp(distribution) * distribution) / LN2
