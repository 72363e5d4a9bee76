"""Reads percentiles and p-values off a card: how unusual a score is among normal strings of its length.

Normal strings are the held-out ones of the model's text: whole lines, or pieces of running text that begin
where a word does. The statistic is the surprise in bits per scored symbol. Both its mean and its spread fall
with the length, because the first characters of a string cost the most. So the card holds its distribution at
many lengths (`nextchar_training.export.calibration` measures it), and `SurpriseCurves` interpolates between
them: every quantile linearly in the logarithm of the length, the logarithm of the share linearly between two
quantiles. Beyond the shortest and the longest measured length, the nearest one counts.

**p-value.** The share of normal strings of exactly this length that surprise at least as much. Up to the last
quantile it is the empirical share by the rule (k + 1) / (n + 1), which no number of strings makes too small
(Davison and Hinkley 1997, section 4.2). Beyond, it follows a generalised Pareto tail that was fitted to the
most surprising held-out strings (Pickands 1975), and stops at 1 / (10 n): ten times finer than n strings can
show, and never zero. `SurpriseCurves.finest` tells that limit.

**Percentile.** The percentage of normal strings of *about* this length that surprise less: the mean of
100 (1 - p) over the lengths up to `reach` characters shorter and longer, at the same bits per symbol. Between
neighbouring short lengths the true distributions lie up to 25 points apart, so that a percentile of one exact
length would jump with every character; averaged over 2 r + 1 lengths, it moves by at most 100 / (2 r + 1).
The reach is the least at which a character more moves no percentile by more than 5 points, from 3 characters
on. A p-value must hold for its own length and is not averaged.

Cards from before calibration have quantiles at a few lengths, measured without the end symbol. They give both
figures too, with an exponential tail through their highest quantiles and no p-value below 0.001, since they
do not tell the number of their strings.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from nextchar.model.card import CalibrationCard, Card, Quantiles, SurpriseCurve
from nextchar.model.surprise.curves import Doubles, Numbers, SurpriseCurves
from nextchar.model.surprise.share_table import ShareTable

_MAX_MOVE = 0.049  # of the share of the same bits per symbol: 5 points, with a margin for bits between
_SHORTEST = 3  # characters; of one or two, the first one's surprise is nearly all
_TAIL_SHARE = 0.0099  # of an old card; its quantiles beyond are of a few strings, and only shape the tail
_MAXIMUM_SHARE = 0.001  # of an old card's highest values, which are of at most 1000 strings
_OLD_NUM_STRINGS = 100
_LN2 = math.log(2)


class Calibration:
    """Returns percentiles and p-values of scores that begin at the begin symbol, for arrays of strings.

    A score after a context or a state has no calibration: its strings are not those that were measured. Use
    `calibration_of(card)` or `ModelGraph.calibration` to get one; it is safe to share between threads.
    """

    def __init__(self, plain: SurpriseCurves, with_end: SurpriseCurves | None) -> None:
        self._curves = {False: plain} if with_end is None else {False: plain, True: with_end}
        self._reaches = {
            end: curves.least_reach(_MAX_MOVE, shortest=_SHORTEST) for end, curves in self._curves.items()
        }
        self._tables = {
            end: ShareTable.of(curves, self._reaches[end]) for end, curves in self._curves.items()
        }

    @property
    def counts_end(self) -> bool:
        """Whether scores that include the end symbol can be calibrated: old cards and running text cannot."""
        return True in self._curves

    def p_values(self, num_chars: Numbers, logprobs: Doubles, *, includes_end: bool = False) -> Doubles:
        """Returns the share of normal strings of each length [n] with at most the log-probability.

        `num_chars` [n] counts a string's symbols without the end; `logprobs` [n] are totals in nats, with the
        end symbol's if `includes_end`. A p-value is in (0, 1], falls with the surprise, and is NaN for an
        empty string. No p-value is below `finest`.

        Raises:
            ValueError: `includes_end` is set and not `counts_end`.
        """
        curves, table = self._of(includes_end)
        return _read(table, table.shares, curves.p_values, num_chars, logprobs, includes_end)

    def percentiles(self, num_chars: Numbers, logprobs: Doubles, *, includes_end: bool = False) -> Doubles:
        """Returns the percentage of normal strings of about each length [n] that surprise less, 0 to 100.

        Takes and raises what `p_values` does.
        """
        (curves, table), reach = self._of(includes_end), self._reaches[includes_end]
        averaged = partial(curves.averaged, reach=reach)
        return 100 * (1 - _read(table, table.averages, averaged, num_chars, logprobs, includes_end))

    def finest(self, num_chars: Numbers, *, includes_end: bool = False) -> Doubles:
        """Returns the least p-value that can be told at each length [n]."""
        return self._of(includes_end)[0].finest(_symbols(num_chars, includes_end))

    def reach(self, *, includes_end: bool = False) -> int:
        """Returns how many characters shorter and longer the strings are that a percentile compares with."""
        self._of(includes_end)
        return self._reaches[includes_end]

    def some_lengths(self, count: int) -> list[int]:
        """Returns measured lengths in characters: `count` at most, with the shortest and the longest."""
        lengths = self._curves[False].lengths
        places = np.unique(np.linspace(0, len(lengths) - 1, min(count, len(lengths))).round().astype(int))
        return [int(length) for length in lengths[places]]

    def bits_at(self, num_chars: int, shares: Doubles) -> Doubles:
        """Returns the bits per character that a share [n] of normal strings of a length reaches."""
        return self._curves[False].bits_at(num_chars, shares)

    def _of(self, includes_end: bool) -> tuple[SurpriseCurves, ShareTable]:
        if includes_end not in self._curves:
            raise ValueError("this card has no calibration of scores that include the end symbol")
        return self._curves[includes_end], self._tables[includes_end]


def _read(
    table: ShareTable,
    rows: Doubles,
    compute: Callable[[Doubles, Doubles], Doubles],
    num_chars: Numbers,
    logprobs: Doubles,
    includes_end: bool,
) -> Doubles:
    """Reads strings off a table, and computes what it has not; NaN for empty strings."""
    symbols = _symbols(num_chars, includes_end)
    bits = np.maximum(0.0, -np.asarray(logprobs, dtype=np.float64) / symbols / _LN2)
    found, wanted, quick = np.full(len(bits), np.nan), np.asarray(num_chars) > 0, table.has(symbols)
    known, others = wanted & quick, wanted & ~quick
    found[known] = table.read(rows, symbols[known], bits[known])
    found[others] = compute(symbols[others], bits[others])
    return found


def _symbols(num_chars: Numbers, includes_end: bool) -> Doubles:
    return np.maximum(1.0, np.asarray(num_chars, dtype=np.float64) + includes_end)


def calibration_of(card: Card) -> Calibration | None:
    """Returns the calibration of a card, or None if nothing of it was measured."""
    if card.calibration is not None:
        measured = card.calibration
        ends = _measured(measured, measured.with_end) if measured.with_end else None
        return Calibration(_measured(measured, measured.without_end), ends)
    if card.quantiles:
        return Calibration(_of_quantiles(card.quantile_levels, card.quantiles), None)
    return None


def calibration_card(plain: SurpriseCurves, with_end: SurpriseCurves | None) -> CalibrationCard:
    """Returns the part of a card from which `calibration_of` makes the same calibration, but for rounding."""
    assert with_end is None or np.array_equal(plain.shares, with_end.shares)
    return CalibrationCard(
        shares=[round(share, 6) for share in plain.shares.tolist()],
        tail_shape=round(plain.tail_shape, 6),
        without_end=_rounded(plain),
        with_end=[] if with_end is None else _rounded(with_end),
    )


def _rounded(curves: SurpriseCurves) -> list[SurpriseCurve]:
    columns = zip(curves.lengths, curves.bits, curves.tail_bits, curves.num_strings, strict=True)
    return [
        SurpriseCurve(
            num_symbols=int(length),
            # Up, so that a string whose score many have is as surprising as they are, and not more.
            bits_per_symbol=(np.ceil(bits * 1e4) / 1e4).tolist(),
            tail_bits=round(float(tail), 6),
            num_strings=int(count),
        )
        for length, bits, tail, count in columns
    ]


def _measured(card: CalibrationCard, measured: list[SurpriseCurve]) -> SurpriseCurves:
    return SurpriseCurves(
        np.array([curve.num_symbols for curve in measured], dtype=np.float64),
        np.array(card.shares),
        np.array([curve.bits_per_symbol for curve in measured]),
        np.array([curve.tail_bits for curve in measured]),
        card.tail_shape,
        np.array([curve.num_strings for curve in measured], dtype=np.float64),
    )


def _of_quantiles(levels: list[float], quantiles: list[Quantiles]) -> SurpriseCurves:
    """Makes curves of the quantiles of an old card; the tail is as wide as the widest step near its begin."""
    measured = sorted(quantiles, key=lambda entry: entry.num_chars)
    bits = np.array([entry.bits_per_char for entry in measured])
    shares = np.maximum(1 - np.array(levels), _MAXIMUM_SHARE)
    if levels[0] > 0:
        shares, bits = np.insert(shares, 0, 1.0), np.insert(bits, 0, 0.0, axis=1)
    last = max(1, int(np.flatnonzero(shares >= _TAIL_SHARE)[-1]))
    before = np.flatnonzero((shares > shares[last]) & (shares <= 0.1)).tolist()
    beyond = np.flatnonzero(shares < shares[last]).tolist()
    steps = [(at, last) for at in before] + [(last, at) for at in beyond] or [(last - 1, last)]
    slopes = [(bits[:, b] - bits[:, a]) / math.log(shares[a] / shares[b]) for a, b in steps]
    return SurpriseCurves(
        np.array([entry.num_chars for entry in measured], dtype=np.float64),
        shares[: last + 1],
        bits[:, : last + 1],
        np.maximum(np.max(slopes, axis=0), 1e-3),
        0.0,
        np.full(len(measured), float(_OLD_NUM_STRINGS)),
    )
