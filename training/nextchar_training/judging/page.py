"""Renders the report of a fitted judge: what it finds at which rate of false alarms, kind by kind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nextchar.model.judging.card import FalseAlarms
from nextchar_training.judging.evaluation import Condition, roc
from nextchar_training.judging.fit import NUM_FOLDS
from nextchar_training.page import html as html
from nextchar_training.page.charts import Series, line_chart

_NUM_POINTS = 60


@dataclass(frozen=True)
class Mean:
    """The figures of a condition, each kind counted equally."""

    condition: str
    auc: float
    hits: dict[str, float]
    alarms: dict[str, float]


def means(conditions: Sequence[Condition]) -> list[Mean]:
    """Returns the mean figures of the conditions that have bad strings."""
    found = []
    for condition in conditions:
        measured = condition.measured()
        if measured:
            hits = {rate: float(np.mean([m.hits[rate] for m in measured])) for rate in measured[0].hits}
            alarms = {f"{rate:g}": condition.seen_over_asked(rate) for rate in condition.rates}
            auc = float(np.mean([m.auc for m in measured]))
            found.append(Mean(condition.name, auc, hits, alarms))
    return found


def lines(conditions: Sequence[Condition], table: Sequence[FalseAlarms]) -> Iterator[str]:
    """Yields the lines that the command prints."""
    for mean in means(conditions):
        hits = ", ".join(f"{value:.3f} at {float(rate):.4g}" for rate, value in mean.hits.items())
        yield f"{mean.condition:14}  AUC {mean.auc:.4f}   hits {hits} false alarms"
    for condition in conditions[-1:]:
        for m in condition.measured():
            hits = "  ".join(f"{value:.3f}" for value in m.hits.values())
            yield f"  {m.kind:20} {m.num_strings:>7,}  AUC {m.auc:.4f}   {hits}   ({condition.name})"
    yield "threshold   false-alarm rate, 95 % interval"
    for row in table:
        yield f"{row.threshold:9.3f}   {row.rate:<7g} {row.low:.2g} to {row.high:.2g}"


def report(name: str, conditions: Sequence[Condition], table: Sequence[FalseAlarms]) -> str:
    """Renders the page."""
    parts = [
        html.paragraph(
            f"Cross-validation in {NUM_FOLDS} folds: every string was judged by a judge that was fitted "
            "without it. Kinds count equally. An asked-for rate is kept where seen ÷ asked is near 1."
        ),
        *_summary(conditions),
        *_roc(conditions),
        *(part for condition in conditions for part in _kinds(condition)),
        html.heading("Thresholds"),
        html.table(
            ["score from", "false-alarm rate", "low", "high"],
            [[row.threshold, f"{row.rate:g}", f"{row.low:.2g}", f"{row.high:.2g}"] for row in table],
        ),
        html.paragraph("The interval of the true rate is that of Clopper and Pearson, at 95 % confidence."),
    ]
    return html.page(f"Judge {name}", parts)


def _summary(conditions: Sequence[Condition]) -> Iterator[str]:
    found = means(conditions)
    if not found:
        alone = conditions[0]
        yield html.table(
            ["false-alarm rate", "seen ÷ asked"],
            [[f"{rate:g}", alone.seen_over_asked(rate)] for rate in alone.rates],
        )
        return
    rates = list(found[0].hits)
    header = ["what is known", "AUC", *(f"hits at {r}" for r in rates), *(f"seen ÷ asked {r}" for r in rates)]
    yield html.table(header, [[m.condition, m.auc, *m.hits.values(), *m.alarms.values()] for m in found])


def _roc(conditions: Sequence[Condition]) -> Iterator[str]:
    with_bad = [c for c in conditions if c.kinds]
    if not with_bad:
        return
    rates = np.geomspace(1 / len(with_bad[0].normal), 1, _NUM_POINTS)
    series = [
        Series(c.name, rates.tolist(), roc(c.normal, list(c.kinds.values()), rates).tolist())
        for c in with_bad
    ]
    chart = line_chart(series, x_label="false-alarm rate", y_label="share found", log_x=True)
    yield html.heading("What is found at which rate of false alarms")
    yield html.picture(chart, "Share of bad strings found against the rate of false alarms")


def _kinds(condition: Condition) -> Iterator[str]:
    measured = condition.measured()
    if not measured:
        return
    yield html.heading(f"By kind: {condition.name}")
    header = ["kind", "strings", "AUC", *(f"hits at {rate}" for rate in measured[0].hits)]
    yield html.table(header, [[m.kind, m.num_strings, m.auc, *m.hits.values()] for m in measured])
