"""Draws bits per character by position, static beside adaptive, one panel per text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

_STATIC, _ADAPTIVE = "#8a929b", "#1b6ca8"
_RC: dict[Any, Any] = {"svg.hashsalt": "nextchar", "font.size": 9, "axes.spines.top": False}
_RC |= {"axes.spines.right": False}
_COLUMNS = 2


def draw(texts: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws the figures that `quality.measure` returned for each text into an SVG file."""
    rows = (len(texts) + _COLUMNS - 1) // _COLUMNS
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(9, 2.7 * rows), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).flatten().tolist()
        for spare in panels[len(texts) :]:
            spare.remove()
        for axes, text in zip(panels, texts, strict=False):
            for name, colour in (("static", _STATIC), ("adaptive", _ADAPTIVE)):
                bits = text[f"{name} by position"]
                middles = (np.arange(len(bits)) + 0.5) * text["characters"] / len(bits)
                axes.plot(middles, bits, color=colour, label=name, linewidth=1.4)
            axes.set_title(f"{text['text']}, read by {text['model']}", fontsize=9)
            axes.set_ylim(bottom=0)
            axes.locator_params(axis="x", nbins=5)
            axes.set_xlabel("position, characters")
            axes.set_ylabel("bits per character")
            axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
