"""Computes what a judge looks at in a string: sums over the surprise of its symbols. Pure NumPy, vectorised.

Surprise is minus the log-probability of a symbol, in nats, with the end symbol's where a model has one. A
part is a run of letters, digits, hyphens and underscores with the separator or end that follows it: the label
of a domain, a word of a log line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids

WINDOW = 8  # symbols
_JOINING = frozenset("-_")
_END = -1


@dataclass(frozen=True)
class Statistics:
    """The statistics of n strings: arrays [n]. Lengths count symbols; surprise is in nats.

    `mean`: per symbol. `part_mean`: per symbol of the longest part, which has `part_length` symbols.
    `window`: per symbol of the most surprising `WINDOW` symbols in a row.
    """

    length: Ids
    mean: Doubles
    total: Doubles
    part_length: Ids
    part_mean: Doubles
    window: Doubles


def statistics_of(texts: Sequence[str], logprobs: Sequence[Doubles]) -> Statistics:
    """Returns the statistics of strings that each have a symbol.

    `texts` are in the model's form; `logprobs` are those of their characters [len(text)], and of the end
    symbol [len(text) + 1] where the model has one.
    """
    length = np.array([len(one) for one in logprobs], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(length)[:-1]])
    surprise = -np.concatenate(logprobs)
    total = np.add.reduceat(surprise, starts)
    part_start, part_length = _longest_parts(texts, length, starts)
    part_mean = _sums(surprise, part_start, part_length) / part_length
    window = _windows(surprise, length, starts, total) / WINDOW
    return Statistics(length, total / length, total, part_length, part_mean, window)


def _longest_parts(texts: Sequence[str], length: Ids, starts: Ids) -> tuple[Ids, Ids]:
    """Returns the first symbol and the length of each string's longest part, the first of equals."""
    begins = np.zeros(int(length.sum()), dtype=bool)
    begins[1:] = _separators(texts, length, starts)[:-1]
    begins[starts] = True
    part_starts = np.flatnonzero(begins)
    lengths = np.diff(part_starts, append=len(begins))
    # One number orders parts by length, then by place.
    order = lengths * len(part_starts) + np.arange(len(part_starts))[::-1]
    best = np.maximum.reduceat(order, np.searchsorted(part_starts, starts))
    chosen = len(part_starts) - 1 - best % len(part_starts)
    return part_starts[chosen], lengths[chosen]


def _separators(texts: Sequence[str], length: Ids, starts: Ids) -> NDArray[np.bool_]:
    """Returns for each symbol of all strings whether it separates parts; an end symbol does not."""
    characters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    symbols = np.full(int(length.sum()), _END, dtype=np.int64)
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    within = np.arange(len(characters)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    symbols[np.repeat(starts, sizes) + within] = characters
    distinct, place = np.unique(symbols, return_inverse=True)
    separates = [c != _END and not chr(c).isalnum() and chr(c) not in _JOINING for c in distinct.tolist()]
    return np.array(separates, dtype=bool)[place]


def _sums(surprise: Doubles, starts: Ids, length: Ids) -> Doubles:
    """Returns the sums of pieces that follow each other, with gaps; no sum depends on another piece."""
    edges = np.stack([starts, starts + length], axis=1).ravel()
    found: Doubles = np.add.reduceat(np.append(surprise, 0.0), edges)[::2]
    return found


def _windows(surprise: Doubles, length: Ids, starts: Ids, total: Doubles) -> Doubles:
    """Returns each string's largest sum over `WINDOW` symbols in a row; the total of a shorter string."""
    ends = np.repeat(starts + length, length)
    padded = np.append(surprise, np.zeros(WINDOW))
    sums = sum(padded[k : k + len(surprise)] for k in range(WINDOW))
    within = np.where(np.arange(len(surprise)) + WINDOW <= ends, sums, -np.inf)
    return np.maximum(np.where(length < WINDOW, total, -np.inf), np.maximum.reduceat(within, starts))
