"""Measures a judge by cross-validation: what it finds of strings that nothing was fitted to.

Three conditions, each over k folds of the normal strings: no bad strings known; the kind known, its strings
new; the kind left out, with all kinds of its group. A fold's judge is fitted without the strings that it is
measured on; all folds' p-values are pooled. Kinds count equally, however many strings they have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.judging.card import ConditionName, Measured
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.judging.fit import NUM_FOLDS, fit, folds_of
from nextchar_training.judging.references import fit_reference
from nextchar_training.judging.scored import Scored

HIT_RATES = (0.01, 0.001, 0.0001)
NOTHING: ConditionName = "nothing known"
KNOWN: ConditionName = "kind known"
LEFT_OUT: ConditionName = "kind left out"


@dataclass(frozen=True)
class Condition:
    """The pooled p-values of normal strings and of each kind in one condition."""

    name: ConditionName
    normal: Doubles
    kinds: dict[str, Doubles]

    def measured(self) -> list[Measured]:
        """Returns the figures of each kind."""
        return [
            Measured(
                condition=self.name,
                kind=kind,
                num_strings=len(p),
                auc=auc(self.normal, p),
                hits={f"{rate:g}": hits(self.normal, p, rate) for rate in self.rates},
            )
            for kind, p in self.kinds.items()
        ]

    @property
    def rates(self) -> list[float]:
        """The rates of false alarms at which hits can be told: at least one normal string lies beyond."""
        return [rate for rate in HIT_RATES if rate * len(self.normal) >= 1]

    def seen_over_asked(self, rate: float) -> float:
        """Returns the share of normal strings that a rate flags, over the rate."""
        return float((self.normal <= rate).mean() / rate)


@dataclass(frozen=True)
class _Fold:
    """What the judge of one fold knows, and which strings of each kind it is measured on."""

    known: list[Scored]
    judged: list[NDArray[np.bool_]]


def evaluate(
    normal: Scored,
    bad: Sequence[Scored],
    vocabulary: Vocabulary,
    *,
    groups: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Condition]:
    """Returns the conditions that the lists allow: a kind can be left out where there are two groups.

    `groups` names the group of a kind; by default each kind is its own.
    """
    of_group = [(groups or {}).get(one.name, one.name) for one in bad]
    conditions: list[ConditionName] = [NOTHING]
    if bad:
        conditions.append(KNOWN)
    if len(set(of_group)) > 1:
        conditions.append(LEFT_OUT)
    found = []
    for name in conditions:
        say(f"cross-validation: {name}")
        folds = [_fold(name, bad, of_group, k) for k in range(NUM_FOLDS)]
        found.append(_pooled(name, normal, bad, folds, vocabulary))
    return found


def _fold(name: ConditionName, bad: Sequence[Scored], groups: list[str], fold: int) -> _Fold:
    if name == LEFT_OUT:
        names = sorted(set(groups))
        of_group = dict(zip(names, folds_of(len(names)).tolist(), strict=True))
        out = [of_group[group] == fold for group in groups]
        known = [one for one, is_out in zip(bad, out, strict=True) if not is_out]
        return _Fold(known, [np.full(len(one), is_out) for one, is_out in zip(bad, out, strict=True)])
    places = [folds_of(len(one)) for one in bad]
    known = [one.at(at != fold) for one, at in zip(bad, places, strict=True)] if name == KNOWN else []
    return _Fold(known, [at == fold for at in places])


def _pooled(
    name: ConditionName,
    normal: Scored,
    bad: Sequence[Scored],
    folds: list[_Fold],
    vocabulary: Vocabulary,
) -> Condition:
    """Fits a judge per fold and pools the p-values of the strings that it was not fitted to."""
    places = folds_of(len(normal))
    normal_p, kinds = np.ones(len(normal)), {one.name: np.ones(len(one)) for one in bad}
    for k, fold in enumerate(folds):
        references = [fit_reference(one.name, one.ids, vocabulary) for one in fold.known]
        fitted = fit(normal.at(places != k), references)
        normal_p[places == k] = fitted.p_values(normal.at(places == k))
        for one, judged in zip(bad, fold.judged, strict=True):
            if judged.any():
                kinds[one.name][judged] = fitted.p_values(one.at(judged))
    return Condition(name, normal_p, kinds)


def auc(normal: Doubles, bad: Doubles) -> float:
    """Returns the area under the ROC curve of p-values: how often a bad string has the smaller one."""
    ordered = np.sort(normal)
    above = len(ordered) - np.searchsorted(ordered, bad, "right")
    ties = np.searchsorted(ordered, bad, "right") - np.searchsorted(ordered, bad, "left")
    return float((above + ties / 2).mean() / len(ordered))


def hits(normal: Doubles, bad: Doubles, rate: float) -> float:
    """Returns the share of bad strings below the p-value that a share `rate` of normal strings is below."""
    return float((bad < np.quantile(normal, rate)).mean())


def roc(normal: Doubles, bad: Sequence[Doubles], rates: Doubles) -> Doubles:
    """Returns the share of bad strings found at each rate of false alarms; every kind counts equally."""
    thresholds = np.quantile(normal, rates)
    found: Doubles = np.mean([np.searchsorted(np.sort(p), thresholds, "left") / len(p) for p in bad], axis=0)
    return found
