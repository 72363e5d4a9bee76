"""Measures percentiles and p-values of models: how smooth they are in length, and how many alarms are false.

    python -m benchmarks.quality.calibration models/names models/domains
    python -m benchmarks.quality.calibration models/tinyshakespeare --corpus tinyshakespeare.txt

For each model it prints by how many points the percentile of the same bits moves between neighbouring lengths
from 3 to 40, and false alarms seen ÷ asked for on fresh normal strings at 1 % and 0.1 %: with the card's own
calibration, and with one that is measured on one half of the held-out text and tried on the other, both ways.
The halves are alternating blocks of running text, or random lines; a string is as long as a line, or of each
length of `_LENGTHS`. The counts in brackets are the false alarms seen.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nextchar.model.graph import ModelGraph, open_graph
from nextchar.model.surprise.calibration import Calibration
from nextchar.model.surprise.curves import Doubles, Numbers, SurpriseCurves
from nextchar.repository.folder import find_model
from nextchar_training.export.calibration import fit_lines, fit_pieces, score_lines, score_pieces
from nextchar_training.text.heldout import heldout_split

RATES = (0.01, 0.001)
_LENGTHS = (3, 4, 5, 6, 7, 9, 11, 13, 18, 22, 30, 40, 56, 80, 112, 160, 224)
_BLOCK = 20_000  # characters
_LN2 = np.log(2)
_ROUNDING = 5e-7  # answers give p-values to six digits: the least of an old card, 0.001, is within that rate

PValues = Callable[[Numbers, Doubles], Doubles]  # of lengths in symbols, and bits per symbol
Fresh = tuple[Numbers, Doubles]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.calibration", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help="model files or folders")
    parser.add_argument("--corpus", help="the text of a model whose card names no corpus")
    arguments = parser.parse_args()
    print(
        "| model | calibration | percentile moves | false alarms at 1 % | at 0.1 % |\n|---|---|---|---|---|"
    )
    for path in arguments.models:
        found = find_model(path)
        graph, name = open_graph(found.path), path.name
        halves, fitted = _halves(graph, arguments.corpus)
        if graph.calibration is not None:
            own = graph.calibration
            _print(name, "of the card", own, [(_plain(own), fresh) for fresh in halves])
        new = [Calibration(curves, None) for curves in fitted]
        _print(name, "of the other half", new[0], [(_plain(new[1 - k]), halves[k]) for k in (0, 1)])


def largest_move(calibration: Calibration) -> float:
    """Returns by how many points a character more moves the percentile of the same bits."""
    lengths = np.arange(3, 41)
    rows = [calibration.percentiles(lengths, -bits * _LN2 * lengths) for bits in np.linspace(0.02, 20, 1000)]
    return float(np.abs(np.diff(rows, axis=1)).max())


def _halves(graph: ModelGraph, corpus: str | None) -> tuple[list[Fresh], list[SurpriseCurves]]:
    """Returns the lengths and bits of the strings of each half, and the curves that were fitted to it."""
    split = heldout_split(graph.card, corpus)
    if split.unit == "line":
        lengths, bits = score_lines(graph, split.heldout)
        first = np.random.default_rng(0).random(len(lengths)) < 0.5
        halves: list[Fresh] = [(lengths[half], bits[half, 0] / lengths[half]) for half in (first, ~first)]
        curves = [fit_lines(lengths[half], bits[half], with_end=False) for half in (first, ~first)]
    else:
        text = split.heldout
        blocks = [text[start : start + _BLOCK] for start in range(0, len(text) - _BLOCK // 2, _BLOCK)]
        scored = [score_pieces(graph, block, 2 / len(blocks)) for block in blocks]
        tables = [[np.concatenate(rows) for rows in zip(*scored[k::2], strict=True)] for k in (0, 1)]
        halves = [_of_lengths(table) for table in tables]
        curves = [fit_pieces(table, len(text) // 2) for table in tables]
    fitted = [found for found in curves if found is not None]
    assert len(fitted) == 2, "the held-out text is too short"
    return halves, fitted


def _of_lengths(tables: list[Doubles]) -> Fresh:
    short, long = tables
    bits = [(short if n <= short.shape[1] else long)[:, n - 1] / n for n in _LENGTHS]
    return np.repeat(_LENGTHS, [len(row) for row in bits]), np.concatenate(bits)


def _plain(calibration: Calibration) -> PValues:
    return lambda lengths, bits: calibration.p_values(lengths, -bits * _LN2 * lengths)


def _print(name: str, kind: str, calibration: Calibration, trials: list[tuple[PValues, Fresh]]) -> None:
    found = np.concatenate([p_values(*fresh) for p_values, fresh in trials])
    cells = []
    for rate in RATES:
        seen = int((found <= rate * (1 + _ROUNDING)).sum())
        cells.append(f"{seen / rate / len(found):.2f} ({seen:,})")
    print(f"| {name} | {kind} | {largest_move(calibration):.1f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
