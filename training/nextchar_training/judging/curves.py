"""Measures the curves of a judge: the distributions of its statistics among normal strings."""

import numpy as np

from nextchar.model.judging.card import CurveCard, FalseAlarms
from nextchar.model.judging.intervals import clopper_pearson
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids

RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
_AROUND = 300  # strings per length
_MIN_STEP = 1.05  # from one length to the next
_NUM_SHARES = 100
_LAST = 20  # strings beyond the last share, whose mean excess is the scale of the tail
_TABLE_SHARES = (0.5, 0.3, 0.2)


def curve(values: Doubles) -> CurveCard:
    """Measures the distribution of a statistic [n] whatever the length."""
    shares = _shares(len(values), _NUM_SHARES)
    return _card([1], [np.sort(values)], shares)


def curve_by_length(values: Doubles, lengths: Ids) -> CurveCard:
    """Measures the distribution of a statistic [n] at lengths [n], each among the strings nearest to it."""
    order = np.argsort(lengths, kind="stable")
    sorted_lengths, sorted_values = lengths[order], values[order]
    chosen, samples = list[int](), list[Doubles]()
    for length in np.unique(sorted_lengths).tolist():
        if chosen and length < chosen[-1] * _MIN_STEP:
            continue
        chosen.append(length)
        samples.append(np.sort(_nearest(sorted_lengths, sorted_values, length)))
    num_shares = min(len(s) for s in samples)
    return _card(chosen, samples, _shares(num_shares, 24))


def false_alarms(scores: Doubles) -> list[FalseAlarms]:
    """Makes the table from threshold to rate of false alarms, of the rates that the strings can tell."""
    ordered, n = np.sort(scores), len(scores)
    table = []
    for rate in (*_TABLE_SHARES, *RATES):
        beyond = int(rate * (n + 1))
        if beyond < 1:
            break
        low, high = clopper_pearson(beyond, n)
        table.append(FalseAlarms(rate=rate, threshold=float(ordered[n - beyond]), low=low, high=high))
    return table


def _nearest(lengths: Ids, values: Doubles, length: int) -> Doubles:
    """Returns the values of all strings of a length, and of those nearest to it up to `_AROUND`."""
    first, last = np.searchsorted(lengths, [length, length + 1])
    while last - first < min(_AROUND, len(lengths)):
        below = length - lengths[first - 1] if first > 0 else np.inf
        above = lengths[last] - length if last < len(lengths) else np.inf
        if below <= above:
            first = np.searchsorted(lengths, lengths[first - 1])
        if above <= below:
            last = np.searchsorted(lengths, lengths[last], side="right")
    return values[first:last]


def _shares(n: int, num: int) -> Doubles:
    """Returns shares k / (n + 1) that fall from 1 in about even steps of their logarithm, and are above 0."""
    last = max(1, min(_LAST, n // 50))
    ranks = np.unique(np.rint(np.geomspace(last, n, num))).astype(np.int64)[::-1]
    found: Doubles = ranks / (n + 1)
    found[0] = 1.0
    return found


def _card(lengths: list[int], samples: list[Doubles], shares: Doubles) -> CurveCard:
    rows, scales = [], []
    for sample in samples:
        n = len(sample)
        ranks = np.minimum(np.maximum(np.rint(shares * (n + 1)), 1), n).astype(np.int64)
        rows.append(sample[n - ranks].tolist())
        last = int(ranks[-1])
        excess = float((sample[n - last :] - sample[n - last]).sum()) / max(1, last - 1)
        scales.append(max(excess, 1e-9 + 1e-6 * float(np.ptp(sample))))
    return CurveCard(
        lengths=lengths,
        shares=shares.tolist(),
        values=rows,
        tail_scales=scales,
        num_strings=[len(sample) for sample in samples],
    )
