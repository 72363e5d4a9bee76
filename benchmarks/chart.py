"""Draws the chart of a run that the README shows."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_OURS, _OTHERS = "#1b6ca8", "#b0b7bf"


def draw(result: dict[str, Any], path: Path) -> None:
    """Draws three panels: the engine beside its limit and its parts, servers, scoring."""
    figure, (engine, servers, scoring) = plt.subplots(1, 3, figsize=(13, 4.2))
    row = result["engine 2x512"]["64"]
    names = ["torch", "lstm-operator", "step-float32", "engine-int8", "step-int8", "roofline-int8"]
    _bars(engine, {n: row[n] for n in names}, "64 lanes, 2×512 LSTM, one core\ncharacters per second")
    rates = {n: rate["64"] for n, rate in result["peers"].items() if not isinstance(rate, str)}
    _bars(servers, _sorted(rates), "64 clients over HTTP\ncharacters per second")
    names = ["torch", "http", "grpc", "http, one engine", "cli"]
    score = {n: result["score"][n] for n in names if n in result["score"]}  # an older file has others
    _bars(scoring, _sorted(score), "scoring 100,000 short strings\nstrings per second")
    facts = result["facts"]["peers"]
    title = f"nextchar {facts['commit'][:10]}, {facts['date']}, {facts['cores']} cores"
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _sorted(rates: dict[str, float]) -> dict[str, float]:
    return dict(sorted(rates.items(), key=lambda item: item[1]))


def _bars(axes: Axes, rates: dict[str, float], title: str) -> None:
    ours = (
        "engine-int8",
        "step-int8",
        "nextchar",
        "nextchar, one engine",
        "http",
        "grpc",
        "http, one engine",
        "cli",
    )
    colours = [_OURS if name.partition(",")[0] in ours else _OTHERS for name in rates]
    bars = axes.barh(list(rates), list(rates.values()), color=colours)
    axes.bar_label(bars, [f"{value:,.0f}" for value in rates.values()], padding=3, fontsize=8)
    axes.set_xlim(0, max(rates.values()) * 1.25)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
