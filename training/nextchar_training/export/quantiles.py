"""Measures the quantiles of held-out scores by length, from which the percentile of a score is read.

The first characters of a string cost the most, so bits per character are compared between strings of one
length only.
"""

import math

import numpy as np

from nextchar.model.card import Quantiles
from nextchar.model.golden import score_strings
from nextchar.model.graph import ModelGraph
from nextchar_training.text.code_points import Text
from nextchar_training.text.split import Split

LEVELS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
LENGTHS = (4, 8, 16, 32, 64, 128)
_NUM_STRINGS = 1000
_MIN_STRINGS = 100
_SEED = 0
_MAX_CHARS = 10**6


def score_quantiles(graph: ModelGraph, split: Split) -> list[Quantiles]:
    """Returns quantiles at `LEVELS` for each of `LENGTHS` with enough held-out strings."""
    return [
        Quantiles(num_chars=length, bits_per_char=_bits(graph, strings))
        for length in LENGTHS
        if len(strings := _strings(split, length)) >= _MIN_STRINGS
    ]


def _bits(graph: ModelGraph, strings: list[str]) -> list[float]:
    scores = score_strings(
        graph, [graph.vocabulary.encode_code_points(Text.of(s).code_points) for s in strings]
    )
    bits = [-score / math.log(2) / len(s) for s, score in zip(strings, scores, strict=True)]
    return [round(float(value), 6) for value in np.quantile(bits, LEVELS)]


def _strings(split: Split, length: int) -> list[str]:
    """Returns held-out strings of about a length; in running text, pieces that start where a word does."""
    text = str(split.heldout[:_MAX_CHARS])
    if split.unit == "line":
        found = [line for line in text.split("\n") if _nearest(len(line)) == length]
    else:
        starts = [k for k in range(1, len(text) - length) if text[k - 1].isspace() and not text[k].isspace()]
        found = [text[start : start + length] for start in starts]
    order = np.random.default_rng(_SEED).permutation(len(found))[:_NUM_STRINGS]
    return [found[i] for i in order]


def _nearest(num_chars: int) -> int:
    return min(LENGTHS, key=lambda length: abs(math.log(length / max(1, num_chars))))
