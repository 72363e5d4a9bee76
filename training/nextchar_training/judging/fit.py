"""Fits a judge to scored strings: curves of normal ones, references of bad ones, thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.judging.card import EVIDENCE, CurveCard, Evidence, FalseAlarms
from nextchar.model.judging.combination import Combination, Combined, Curve
from nextchar.model.judging.judge import log_ratios, mixture
from nextchar.model.judging.reference import Reference
from nextchar.model.judging.reference_set import ReferenceSet
from nextchar.model.surprise.curves import Doubles
from nextchar_training.judging.curves import curve, curve_by_length, false_alarms
from nextchar_training.judging.scored import Scored

NOVELTY_SHARE = 0.2
NUM_FOLDS = 5
WEIGHTS: dict[Evidence, float] = dict.fromkeys(EVIDENCE, 1.0)
_SEED = 0


@dataclass(frozen=True)
class Fitted:
    """What was fitted: all that a judge needs but the names of its model and lists."""

    curves: dict[str, CurveCard]
    weights: dict[Evidence, float]
    novelty_share: float
    references: tuple[Reference, ...]
    together: ReferenceSet | None
    score: CurveCard
    false_alarms: list[FalseAlarms]
    num_normal: int

    def combined(self, strings: Scored) -> Combined:
        """Returns the evidence against strings."""
        combination = _combination(self.curves, self.num_normal)
        evidence = combination.evidence(strings.statistics, strings.unknown)
        ratios = log_ratios(self.together, strings.ids, strings.logprobs)
        return combination.combine(evidence, None if ratios is None else mixture(ratios))

    def p_values(self, strings: Scored) -> Doubles:
        """Returns the share of normal strings with at least the score of each string."""
        return Curve(self.score).p_values(self.combined(strings).score)


def fit(normal: Scored, references: Sequence[Reference]) -> Fitted:
    """Fits a judge to normal strings that neither the model nor a reference has read.

    The curves of the evidence are of all normal strings. The score is calibrated on evidence that is read off
    curves of four fifths of the strings for the other fifth, so that no string is compared with itself; its
    p-value is then as valid for a fresh string (cross-conformal prediction; Vovk 2015).
    """
    curves, num = _evidence_curves(normal), len(normal)
    evidence = _evidence_of_others(normal)
    curves["novelty"] = curve(_combination(curves, num).fisher(evidence))
    together = ReferenceSet(references) if references else None
    ratios = log_ratios(together, normal.ids, normal.logprobs)
    if ratios is not None:
        curves["references"] = curve(mixture(ratios))
    score = _combination(curves, num).combine(evidence, None if ratios is None else mixture(ratios)).score
    return Fitted(
        curves,
        WEIGHTS,
        NOVELTY_SHARE,
        tuple(references),
        together,
        curve(score),
        false_alarms(score),
        num,
    )


def folds_of(num: int) -> NDArray[np.int64]:
    """Returns the fold of each of `num` strings, in an even random order."""
    return np.random.default_rng(_SEED).permutation(np.arange(num) % NUM_FOLDS)


def _combination(curves: dict[str, CurveCard], num_normal: int) -> Combination:
    return Combination(curves, WEIGHTS, NOVELTY_SHARE, num_normal)


def _evidence_curves(normal: Scored) -> dict[str, CurveCard]:
    s = normal.statistics
    return {
        "mean_surprise": curve_by_length(s.mean, s.length),
        "total_surprise": curve(s.total),
        "part_surprise": curve_by_length(s.part_mean, s.part_length),
        "window_surprise": curve_by_length(s.window, s.length),
        "unknown_characters": curve(normal.unknown),
    }


def _evidence_of_others(normal: Scored) -> Doubles:
    """Returns the evidence against each string [n, evidence] by curves of the strings of other folds."""
    evidence, places = np.zeros((len(normal), len(EVIDENCE))), folds_of(len(normal))
    for fold in range(NUM_FOLDS):
        others, own = normal.at(places != fold), normal.at(places == fold)
        combination = _combination(_evidence_curves(others), len(others))
        evidence[places == fold] = combination.evidence(own.statistics, own.unknown)
    return evidence
