"""Fits a judge to scored strings: curves of normal ones, references of bad ones, thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

from nextchar.model.judging.card import EVIDENCE, CurveCard, Evidence, FalseAlarms
from nextchar.model.judging.combination import Combination, Combined, Curve
from nextchar.model.judging.judge import log_ratios, mixture
from nextchar.model.judging.reference import Reference
from nextchar.model.surprise_curves import Doubles
from nextchar_training.judging.curves import curve, curve_by_length, false_alarms
from nextchar_training.judging.scored import Scored

NOVELTY_SHARE = 0.2
WEIGHTS: dict[Evidence, float] = dict.fromkeys(EVIDENCE, 1.0)


@dataclass(frozen=True)
class Fitted:
    """What was fitted: all that a judge needs but the names of its model and lists."""

    curves: dict[str, CurveCard]
    weights: dict[Evidence, float]
    novelty_share: float
    references: tuple[Reference, ...]
    score: CurveCard
    false_alarms: list[FalseAlarms]
    num_normal: int

    def combined(self, strings: Scored) -> Combined:
        """Returns the evidence against strings."""
        combination = Combination(self.curves, self.weights, self.novelty_share, self.num_normal)
        return _combined(combination, self.references, strings)

    def p_values(self, strings: Scored) -> Doubles:
        """Returns the share of normal strings with at least the score of each string."""
        return Curve(self.score).p_values(self.combined(strings).score)


def fit(
    normal: Scored,
    references: Sequence[Reference],
    *,
    weights: dict[Evidence, float] = WEIGHTS,
    novelty_share: float = NOVELTY_SHARE,
) -> Fitted:
    """Fits a judge to normal strings that neither the model nor a reference has read.

    One set of strings serves for all curves: a p-value is a rank among them, (k + 1) / (n + 1), which is as
    valid for a fresh string as for one of them (conformal prediction; Vovk et al. 2005).
    """
    s = normal.statistics
    curves = {
        "mean_surprise": curve_by_length(s.mean, s.length),
        "total_surprise": curve(s.total),
        "part_surprise": curve_by_length(s.part_mean, s.part_length),
        "window_surprise": curve_by_length(s.window, s.length),
        "unknown_characters": curve(normal.unknown),
    }
    num = len(normal)
    combination = Combination(curves, weights, novelty_share, num)
    evidence = combination.evidence(s, normal.unknown)
    curves["novelty"] = curve(combination.fisher(evidence))
    if references:
        ratios = log_ratios(references, normal.ids, normal.logprobs)
        assert ratios is not None
        curves["references"] = curve(mixture(ratios))
    combination = Combination(curves, weights, novelty_share, num)
    score = _combined(combination, references, normal).score
    return Fitted(curves, weights, novelty_share, tuple(references), curve(score), false_alarms(score), num)


def _combined(combination: Combination, references: Sequence[Reference], strings: Scored) -> Combined:
    evidence = combination.evidence(strings.statistics, strings.unknown)
    ratios = log_ratios(references, strings.ids, strings.logprobs)
    return combination.combine(evidence, None if ratios is None else mixture(ratios))
