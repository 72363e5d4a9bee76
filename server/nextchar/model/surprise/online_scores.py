"""Ranks scores of a text's strings, each among those of the strings before it: p-values from one measure.

Let a string and the n strings it is compared with be n + 1 strings, each with one score. The p-value is the
share of the n + 1 whose score is at least that of the string itself. It is conformal (Vovk, Gammerman and
Shafer 2005, chapter 2): if each order of the n + 1 scores is as likely, then the string's is among the k
highest with a probability of at most k / (n + 1), so that the p-value is at most u with a probability of at
most u, whatever the scores are distributed like. Equal scores count as at least as high, so that no random
numbers are needed and p-values are too large rather than too small.

With one measure the rank is the p-value, and is not ranked again as that of two measures is in `online`.
Which strings are compared with, and what that is worth where strings are not exchangeable, is told there.
"""

from dataclasses import dataclass

import numpy as np

from nextchar.model.surprise.curves import Doubles
from nextchar.model.surprise.last_half import LastHalf


@dataclass(frozen=True, slots=True)
class Rank:
    """How many of the strings that a string is compared with have at least its score."""

    num_at_least: int
    num_compared: int

    @property
    def p_value(self) -> float:
        """The share of the strings, with the string itself, that have at least its score."""
        return (self.num_at_least + 1) / (self.num_compared + 1)


class OnlineScores:
    """Compares each score with those of the last half of all strings read, and at most `max_scores`.

    It is never changed: reading more returns the next one.
    """

    def __init__(self, last_half: LastHalf) -> None:
        self._last_half = last_half

    @classmethod
    def begun(cls, max_scores: int) -> "OnlineScores":
        """Returns one that has read nothing."""
        return cls(LastHalf(1, max_scores))

    @classmethod
    def restored(cls, num_read: int, compared: Doubles, max_scores: int) -> "OnlineScores":
        """Returns one that has read so many scores, and compares the next with those given [num_compared].

        Raises:
            ValueError: those are not as many as it compares with.
        """
        return cls(LastHalf.restored(num_read, compared[None, :], max_scores))

    @property
    def num_read(self) -> int:
        """How many scores were read."""
        return self._last_half.num_lines

    @property
    def compared(self) -> Doubles:
        """The scores that the next one is compared with, from the first on [num_compared]."""
        return self._last_half.compared(0)

    def ranked(self, scores: Doubles) -> "tuple[list[Rank], OnlineScores]":
        """Returns the rank of each of the next scores [n], and what has read them."""
        last_half, ranks = self._last_half.copy(), list[Rank]()
        for score in scores.tolist():
            num_at_least = int(np.count_nonzero(last_half.compared(0) >= score))
            ranks.append(Rank(num_at_least, last_half.num_compared))
            last_half.add(score)
        return ranks, OnlineScores(last_half)
