"""Measures how surprising held-out strings are, by length: the calibration of percentiles and p-values.

The strings of a model of lines are lines; those of running text, pieces of many lengths that begin where a
word does. See `nextchar.model.surprise.calibration` for what is read off the measurement.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nextchar.model.card import CalibrationCard
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar.model.surprise.calibration import calibration_card
from nextchar.model.surprise.curves import Doubles, SurpriseCurves
from nextchar.model.surprise.fit import MIN_STRINGS, fit_curves
from nextchar.model.vocabulary import Ids
from nextchar_training.text.code_points import Text
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

_LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256)
# Running text: so many pieces of the length, whose beginnings are the shorter pieces.
PIECES = {32: 6000, 256: 1500}
_MAX_LINES = 20_000
_MAX_SYMBOLS = 10**6  # of lines
_MAX_AT_ONCE = 2**15  # symbols
_MAX_CHARS = 10**7  # of the held-out part
_SEED = 0
_LN2 = math.log(2)


def measure_calibration(graph: ModelGraph, split: Split) -> CalibrationCard | None:
    """Returns the calibration of a graph by held-out strings, or None if there are fewer than 100."""
    text = split.heldout[:_MAX_CHARS]
    if split.unit == "line":
        lengths, cumulated = score_lines(graph, text)
        curves = [fit_lines(lengths, cumulated, with_end=with_end) for with_end in (False, True)]
    else:
        curves = [fit_pieces(score_pieces(graph, text), len(text)), None]
    plain, with_end = curves
    return None if plain is None else calibration_card(plain, with_end)


def score_lines(graph: ModelGraph, text: Text) -> tuple[Ids, Doubles]:
    """Scores lines of a text: their lengths [n], and bits [n, 2] without and with the end symbol."""
    lines = [line for line in str(text).split("\n") if line]
    order = np.random.default_rng(_SEED).permutation(len(lines))[:_MAX_LINES]
    end = graph.vocabulary.end_id
    assert end is not None, "the unit must be line"
    strings = [
        np.append(graph.vocabulary.encode_code_points(Text.of(lines[k]).code_points), end) for k in order
    ]
    strings = strings[: int(np.searchsorted(np.cumsum([len(ids) for ids in strings]), _MAX_SYMBOLS)) + 1]
    strings.sort(key=len)
    rows = _scored(graph, strings)
    bits = [[-math.fsum(row[:-1]) / _LN2, -math.fsum(row) / _LN2] for row in rows]
    return np.array([len(ids) - 1 for ids in strings], dtype=np.int64), np.array(bits).reshape(-1, 2)


def _pieces(graph: ModelGraph, text: Text, length: int, num_pieces: int) -> Doubles:
    """Scores pieces that begin where a word does: bits [pieces, length] up to each character."""
    ids, starts = encode(graph.vocabulary, text), word_starts(text)
    starts = starts[starts + length <= len(text)]
    chosen = starts[np.random.default_rng(_SEED).permutation(len(starts))[:num_pieces]]
    strings = [ids[start : start + length].astype(np.int64) for start in chosen]
    rows = np.array(_scored(graph, strings)).reshape(-1, length)
    bits: Doubles = -np.cumsum(rows, axis=1) / _LN2
    return bits


def word_starts(text: Text) -> NDArray[np.int64]:
    """Returns the offsets of characters that follow white space and are none."""
    spaces = [code for code in np.unique(text.code_points).tolist() if chr(code).isspace()]
    is_space = np.isin(text.code_points, spaces)
    return np.flatnonzero(is_space[:-1] & ~is_space[1:]) + 1


def _scored(graph: ModelGraph, strings: list[Ids]) -> list[Doubles]:
    """Returns the log-probabilities of strings in order of length, as many at once as memory allows."""
    found: list[Doubles] = []
    while len(found) < len(strings):
        first = len(found)
        count = max(1, min(256, _MAX_AT_ONCE // max(1, len(strings[min(first + 255, len(strings) - 1)]))))
        found += symbol_logprobs(graph, strings[first : first + count])
    return found


def fit_lines(lengths: Ids, bits: Doubles, *, with_end: bool) -> SurpriseCurves | None:
    """Fits curves to the scores of lines; None if there are too few."""
    symbols = lengths + with_end
    return fit_curves(symbols, bits[:, int(with_end)] / symbols)


def score_pieces(graph: ModelGraph, text: Text, share: float = 1.0) -> list[Doubles]:
    """Scores pieces of running text: bits [pieces, length] for each length of `PIECES`, a share of them."""
    return [_pieces(graph, text, length, round(share * count)) for length, count in PIECES.items()]


def fit_pieces(tables: list[Doubles], num_chars: int) -> SurpriseCurves | None:
    """Fits curves to the scores of pieces of a text of `num_chars`; None if there are too few.

    Each length has pieces of its own, so it is measured by them alone.
    """
    lengths, bits, shorter = [], [], 0
    for table in tables:
        for length in _LENGTHS:
            if shorter < length <= table.shape[1] and len(table) >= MIN_STRINGS:
                lengths.append(np.full(len(table), length, dtype=np.int64))
                bits.append(table[:, length - 1] / length)
        shorter = table.shape[1]
    if not lengths:
        return None
    curves = fit_curves(np.concatenate(lengths), np.concatenate(bits), num_local=1, num_pooled=1)
    assert curves is not None
    apart = np.maximum(1.0, num_chars // curves.lengths)  # pieces that overlap say little more than one
    return replace(curves, num_strings=np.minimum(curves.num_strings, apart))
