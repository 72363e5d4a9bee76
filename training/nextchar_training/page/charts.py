"""Draws charts for pages: matplotlib figures as SVG, without a display."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#8a4fa3", "#7a7a7a", "#b03a48")
_RC: dict[Any, Any] = {"svg.hashsalt": "nextchar", "svg.fonttype": "none", "font.size": 10, "axes.grid": True}
_RC |= {"grid.color": "#dddddd", "axes.spines.top": False, "axes.spines.right": False}


@dataclass(frozen=True, slots=True)
class Series:
    """A named series of points: y against x."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


def line_chart(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    marks: bool = False,
) -> str:
    """Draws a line chart; returns an SVG as the data URL of an image."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        for k, line in enumerate(series):
            axes.plot(
                line.x,
                line.y,
                label=line.name,
                color=_COLOURS[k % len(_COLOURS)],
                linestyle="--" if line.dashed else "-",
                marker="o" if marks or len(line.x) == 1 else None,
                markersize=4,
                linewidth=1.6,
            )
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
        if len(series) > 1:
            axes.legend(frameon=False)
        return _address(figure)


def heat_map(
    values: NDArray[np.floating],
    *,
    columns: Sequence[str],
    rows: Sequence[str],
    low: float,
    high: float,
) -> str:
    """Draws values [rows, columns] as colours, blue below the middle and red above; returns a data URL."""
    with mpl.rc_context(_RC | {"axes.grid": False}):
        size = (4 + 0.16 * len(columns), 0.8 + 0.2 * len(rows))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, aspect="auto", cmap="RdBu_r", vmin=low, vmax=high, interpolation="none")
        axes.set_xticks(range(len(columns)), columns, family="monospace")
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, pad=0.01)
        return _address(figure)


def _address(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue().encode()).decode()
