"""Combines the evidence against strings into one score. Pure NumPy.

Every evidence becomes a surprisal: minus the logarithm of its p-value among normal strings, so that all are
in one unit and none needs a scale. They are combined in two steps.

1. **Novelty** is what the model of normal strings says alone: the weighted sum of the surprisals of
   `EVIDENCE`, as of Fisher's method (Fisher 1925; weights: Good 1955). They depend on each other, so that
   their sum has no known distribution; its own p-value is read off its curve among normal strings.
2. **References**: the log ratio of the probability of a string under the mixture of the references to that
   under the normal model, log mean_k q_k(x) - log p(x): the most powerful statistic against that mixture
   (Neyman and Pearson 1933). Its p-value p_r and that of novelty p_n are combined as their weighted harmonic
   mean (Good 1958; Wilson 2019): 1 / (s / p_n + (1 - s) / p_r). A string is as suspicious as the likelier of
   two explanations, a known kind or a new one, so that a reference that says nothing takes nothing away: the
   cost is a factor of s.

Where references are known, the p-value of novelty is at least 1 / (n + 1) with n normal strings: oddities
that nothing explains do not push known kinds out of the finest rates of false alarms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nextchar.model.judging.card import EVIDENCE, CurveCard, Evidence, JudgeCard
from nextchar.model.judging.statistics import Statistics
from nextchar.model.surprise.curves import Doubles, Numbers, SurpriseCurves


class Curve:
    """The distribution of one statistic among normal strings, by length."""

    def __init__(self, card: CurveCard) -> None:
        self._curves = SurpriseCurves(
            np.array(card.lengths, dtype=np.float64),
            np.array(card.shares),
            np.array(card.values),
            np.array(card.tail_scales),
            0.0,
            np.array(card.num_strings, dtype=np.float64),
        )

    def surprisals(self, values: Doubles, lengths: Numbers | None = None) -> Doubles:
        """Returns -log of the share of normal strings, of each length if given, with at least each value."""
        found: Doubles = -np.log(self.p_values(values, lengths))
        return found + 0.0  # no -0

    def p_values(self, values: Doubles, lengths: Numbers | None = None) -> Doubles:
        """Returns the share of normal strings, of each length if given, with at least each value."""
        of = np.ones(len(values), dtype=np.int64) if lengths is None else lengths
        return self._curves.p_values(of, values)


@dataclass(frozen=True)
class Combined:
    """The combined evidence against n strings: surprisals [n] in nats, those of `EVIDENCE` [n, evidence]."""

    score: Doubles
    novelty: Doubles
    references: Doubles | None
    evidence: Doubles


class Combination:
    """Combines evidence as the card of a judge says."""

    def __init__(
        self,
        curves: Mapping[str, CurveCard],
        weights: Mapping[Evidence, float],
        novelty_share: float,
        num_normal: int,
    ) -> None:
        self._curves = {name: Curve(card) for name, card in curves.items()}
        self._weights = np.array([weights[name] for name in EVIDENCE])
        self._share, self._most = novelty_share, float(np.log(num_normal + 1))

    @classmethod
    def of(cls, card: JudgeCard) -> "Combination":
        """Makes the combination of a judge."""
        return cls(card.curves, card.weights, card.novelty_share, card.num_normal)

    def evidence(self, statistics: Statistics, num_unknown: Numbers) -> Doubles:
        """Returns the surprisal of each evidence, float64 [n, evidence], in the order of `EVIDENCE`."""
        s, curves = statistics, self._curves
        return np.stack(
            [
                curves["mean_surprise"].surprisals(s.mean, s.length),
                curves["total_surprise"].surprisals(s.total),
                curves["part_surprise"].surprisals(s.part_mean, s.part_length),
                curves["window_surprise"].surprisals(s.window, s.length),
                curves["unknown_characters"].surprisals(np.asarray(num_unknown, dtype=np.float64)),
            ],
            axis=1,
        )

    def fisher(self, evidence: Doubles) -> Doubles:
        """Returns the weighted sum of surprisals [n]."""
        found: Doubles = (evidence * self._weights).sum(axis=1)  # a product of matrices depends on the batch
        return found

    def combine(self, evidence: Doubles, log_ratios: Doubles | None) -> Combined:
        """Combines evidence [n, evidence] with the log ratio to the references [n], if there are any."""
        summed = self.fisher(evidence)
        novelty = self._curves["novelty"].surprisals(summed)
        if log_ratios is None:
            return Combined(summed, novelty, None, evidence)
        known = self._curves["references"].surprisals(log_ratios)
        capped = np.minimum(novelty, self._most)
        score = np.logaddexp(np.log(self._share) + capped, np.log1p(-self._share) + known)
        return Combined(score, novelty, known, evidence)
