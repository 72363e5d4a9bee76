"""Defines one panel of the dashboard and the queries it makes over the metrics that the reader chose."""

from dataclasses import dataclass

from nextchar.telemetry.metric_table import METRICS
from operations import promql

_WINDOW = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: its queries by legend; `unit` is Grafana's name of the unit."""

    title: str
    unit: str
    text: str
    queries: dict[str, str]


def _chosen(name: str) -> dict[str, str]:
    """Returns the matchers of the dashboard's variables that the metric has labels for."""
    model = {"model": "~$model"} if name in METRICS and "model" in METRICS[name].labels else {}
    # Requests that name no model are counted with an empty one.
    return {"job": "~$job", **({"model": "~$model|"} if "outcome" in _labels(name) else model)}


def _labels(name: str) -> tuple[str, ...]:
    return METRICS[name].labels if name in METRICS else ()


def rate(name: str, *by: str, **match: str) -> str:
    return promql.rate(name, _WINDOW, by=by, **_chosen(name), **match)


def value(name: str, *by: str, how: str = "sum", **match: str) -> str:
    return promql.value(name, by=by, how=how, **_chosen(name), **match)


def quantiles(name: str, *by: str, **match: str) -> dict[str, str]:
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return {
        f"p{q * 100:g} {legend}".strip(): promql.quantile(q, name, _WINDOW, by=by, **_chosen(name), **match)
        for q in (0.5, 0.99)
    }


def quantile(q: float, name: str, *by: str) -> str:
    return promql.quantile(q, name, _WINDOW, by=by, **_chosen(name))


def mean(name: str, *by: str) -> str:
    return promql.mean(name, _WINDOW, by=by, **_chosen(name))


def one_query(title: str, unit: str, text: str, legend: str, query: str) -> Panel:
    return Panel(title, unit, text, {legend: query})
