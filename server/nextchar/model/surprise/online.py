"""Tells p-values of lines by the lines before them: how unusual a surprise is among those read last.

A model card's calibration was measured with the network alone. A lane that learns the text it reads is
surprised less and less, by an amount that nobody could measure beforehand. So a line is compared with the
lines that the same lane read just before it.

**p-value.** Let a line and the n lines it is compared with be n + 1 lines. Each has two measures, its total
surprise and its mean surprise per symbol. Alone, the total favours long lines and the mean short ones. The
rank of a line by a measure is how many of the n + 1 surprise at least as much by it, and the line's score is
the better, lesser one of its two ranks. The p-value is the share of the n + 1 lines whose score is at most
that of the line itself. This is a conformal p-value (Vovk, Gammerman and Shafer 2005, chapter 2; Vovk,
Nouretdinov and Gammerman 2003 for data that come one after the other): the score is a function of the line
and of the set of all n + 1, so if the n + 1 are exchangeable, which means that each order of them is as
likely, then the p-value is at most u with a probability of at most u, whatever their distribution. Taking the
lesser of two ranks and ranking anew is Tippett's combination of p-values, calibrated by the lines themselves;
it is at most twice the lesser rank's share, as by Bonferroni's rule. Lines that are equal count as surprising
at least as much, so no random numbers are needed, and p-values are too large rather than too small.

**Which lines.** Those of the last half of all lines read, and at most `max_lines`: `last_half` says why. If
lines are not exchangeable, as in a log whose days differ from its nights, the p-value is off by at most how
different they are (Barber, Candès, Ramdas and Tibshirani 2023).

**Limits.** No p-value is below 1 / (n + 1), which is `finest`. A share `u` of ordinary lines has p-values up
to u, so there are always some, even where nothing is unusual.
"""

import math

import numpy as np

from nextchar.model.surprise.curves import Doubles
from nextchar.model.surprise.last_half import LastHalf

MAX_LINES = 10_000


class OnlineSurprise:
    """Compares each line with those before it. It takes 16 bytes for each of `max_lines`, whatever comes.

    A comparison takes time in proportion to the lines it is made with: some 0.2 ms for 10,000.
    """

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        """Begins without any line; `max_lines` is the greatest number that a line is compared with."""
        self._last_half = LastHalf(2, max_lines)  # total and mean surprise

    @property
    def num_lines(self) -> int:
        """How many lines were read."""
        return self._last_half.num_lines

    @property
    def num_compared(self) -> int:
        """How many lines the next one is compared with: the last half of those read, `max_lines` at most."""
        return self._last_half.num_compared

    @property
    def finest(self) -> float:
        """The least p-value that the next line can have."""
        return 1 / (self.num_compared + 1)

    def anew(self) -> "OnlineSurprise":
        """Returns one of the same size that has read nothing."""
        return OnlineSurprise(self._last_half.max_lines)

    def read(self, surprise: float, num_symbols: int) -> float:
        """Returns the p-value of the next line, in (0, 1], and then counts it among those read.

        Args:
            surprise: Of the whole line: minus its log-probability, in any unit that stays the same.
            num_symbols: How many symbols were scored. A line without any has NaN, and is not counted.
        """
        if num_symbols < 1:
            return math.nan
        mean = surprise / num_symbols
        totals, means = self._compared(0, surprise), self._compared(1, mean)
        self._last_half.add(surprise, mean)
        return _p_value_of_last(totals, means)

    def _compared(self, measure: int, last: float) -> Doubles:
        """Returns a measure of the lines that are compared, and of the line itself [n + 1]."""
        return np.append(self._last_half.compared(measure), last)


def lines_needed(threshold: float) -> int:
    """Returns how many lines must be read before a line can have a p-value of at most `threshold`."""
    compared = math.ceil(1 / threshold - 1e-9) - 1
    return max(0, 2 * compared - 1)


def _p_value_of_last(totals: Doubles, means: Doubles) -> float:
    """Returns the share of lines [n] whose lesser rank is at most that of the last one.

    That lesser rank is r. A line has a rank of at most r by a measure if it lies above all but r lines: above
    the measure that is r + 1 from the top.
    """
    n = len(totals)
    rank = int(min(np.count_nonzero(totals >= totals[-1]), np.count_nonzero(means >= means[-1])))
    if rank == n:
        return 1.0
    below = n - 1 - rank  # the place from the bottom, from 0
    is_above = (totals > np.partition(totals, below)[below]) | (means > np.partition(means, below)[below])
    return float(np.count_nonzero(is_above)) / n
