"""Holds the held-out strings of a recipe and compares what contenders make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextchar_training.judging.evaluation import auc, hits

RATES = (0.01, 0.001)

Doubles = NDArray[np.float64]
Figures = dict[str, float | str]


@dataclass(frozen=True)
class Trial:
    """Normal strings and bad ones by kind, none of which a contender of ours was trained on."""

    normal: list[str]
    kinds: dict[str, list[str]]

    @property
    def strings(self) -> list[str]:
        """All strings: the normal ones, then kind by kind."""
        return [*self.normal, *(string for strings in self.kinds.values() for string in strings)]

    def parts(self, values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """Cuts one value per string into those of the normal strings and those of each kind."""
        assert len(values) == len(self.strings), (len(values), len(self.strings))
        sizes = [len(self.normal), *map(len, self.kinds.values())]
        return np.split(values, np.cumsum(sizes)[:-1])


@dataclass(frozen=True)
class Answer:
    """What a contender says of each string: how suspicious it is, and its own verdict if it gives one."""

    scores: Doubles
    flagged: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Table:
    """The figures of contenders on one trial, in the order in which they were measured."""

    trial: Trial
    rows: list[Figures] = field(default_factory=list)

    def add(self, name: str, answer: Answer | str) -> None:
        """Adds what a contender found, or why it was not measured; kinds count equally."""
        if isinstance(answer, str):
            self.rows.append({"name": name, "why": answer})
            print(f"{name}: not measured: {answer}", flush=True)
            return
        figures: Figures = {"name": name} | measured(self.trial, answer)
        self.rows.append(figures)
        print(_line(figures), flush=True)

    def show(self) -> None:
        """Prints the table as Markdown, and then the hits at 1 % by kind."""
        sizes = ", ".join(f"{len(strings):,} {kind}" for kind, strings in self.trial.kinds.items())
        print(f"\n{len(self.trial.normal):,} normal strings; {sizes}\n")
        print("| judged by | AUC | hits at 1 % | at 0.1 % | own verdict: false alarms | found |")
        print("|---|---|---|---|---|---|")
        for row in self.rows:
            print(_line(row))
        print(f"\n| AUC (hits at 1 %) | {' | '.join(self.trial.kinds)} |")
        print(f"|---{'|---' * len(self.trial.kinds)}|")
        for row in self.rows:
            cells = [
                f"{row[f'auc {k}']:.3f} ({row[f'hits {k}']:.2f})" for k in self.trial.kinds if "auc" in row
            ]
            print(f"| {row['name']} | {' | '.join(cells)} |")


def measured(trial: Trial, answer: Answer) -> Figures:
    """Returns the figures of one contender: area under ROC, hits by rate of false alarms, its own verdicts.

    A hit is a bad string with a higher score than all but the given share of normal strings; equal scores are
    no hit, so that a contender with two scores is not flattered.
    """
    normal, *kinds = [-part.astype(float) for part in trial.parts(answer.scores)]
    by_kind: Mapping[str, Doubles] = dict(zip(trial.kinds, kinds, strict=True))
    figures: Figures = {"auc": _mean([auc(normal, bad) for bad in kinds])}
    figures |= {f"hits {rate:g}": _mean([hits(normal, bad, rate) for bad in kinds]) for rate in RATES}
    figures |= {f"auc {kind}": auc(normal, bad) for kind, bad in by_kind.items()}
    figures |= {f"hits {kind}": hits(normal, bad, RATES[0]) for kind, bad in by_kind.items()}
    if answer.flagged is not None:
        alarms, *found = [float(part.mean()) for part in trial.parts(answer.flagged)]
        figures |= {"alarms": alarms, "found": _mean(found)}
    return figures


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _line(row: Figures) -> str:
    columns = ["auc", *(f"hits {rate:g}" for rate in RATES), "alarms", "found"]
    if "why" in row:
        return f"| {row['name']} | {row['why']} |" + " |" * (len(columns) - 1)
    digits = {"alarms": 4}
    cells = [f"{row[c]:.{digits.get(c, 3)}f}" if c in row else "–" for c in columns]
    return f"| {row['name']} | {' | '.join(cells)} |"
