"""Finds interpretable units (Karpathy et al. 2015): those that follow line position, quotes or brackets."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar_training.inside.gates import LayerTrace

Floats = NDArray[np.float64]

_MAX_LINE_POSITION = 80
_CLOSE = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a layer, and the correlation of its state with a property (Pearson's r)."""

    layer: int
    index: int
    correlation: float


def properties(text: str) -> dict[str, Floats]:
    """Returns the properties of a text after each character, by name; only those that vary in it."""
    found = {
        "line position": _line_position(text),
        "inside quotes": _inside_quotes(text),
        "inside brackets": _bracket_depth(text),
        "indentation": _indentation(text),
        "inside a word": _flags(character.isalnum() for character in text),
        "capitals": _flags(character.isupper() for character in text),
        "digits": _flags(character.isdigit() for character in text),
        "length of the word": _word_length(text),
    }
    return {name: values for name, values in found.items() if values.std() > 0}


def most_like(traces: list[LayerTrace], values: Floats, count: int) -> list[Unit]:
    """Returns the units whose states correlate most with a property, over all layers."""
    found = []
    for layer, trace in enumerate(traces):
        for index, correlation in enumerate(_correlations(trace.state.astype(np.float64), values)):
            found.append(Unit(layer, index, float(correlation)))
    return sorted(found, key=lambda unit: -abs(unit.correlation))[:count]


def _correlations(states: Floats, values: Floats) -> Floats:
    centred, wanted = states - states.mean(axis=0), values - values.mean()
    scale = np.sqrt((centred**2).sum(axis=0) * (wanted**2).sum())
    product: Floats = centred.T @ wanted
    found: Floats = np.divide(product, scale, out=np.zeros(len(product)), where=scale > 0)
    return found


def _flags(flags: Iterable[bool]) -> Floats:
    return np.array([float(flag) for flag in flags])


def _line_position(text: str) -> Floats:
    position, found = 0, []
    for character in text:
        position = 0 if character == "\n" else position + 1
        found.append(float(min(position, _MAX_LINE_POSITION)))
    return np.array(found)


def _word_length(text: str) -> Floats:
    length, found = 0, []
    for character in text:
        length = length + 1 if character.isalnum() else 0
        found.append(float(length))
    return np.array(found)


def _indentation(text: str) -> Floats:
    indent, at_start, found = 0, True, []
    for character in text:
        if character == "\n":
            indent, at_start = 0, True
        elif at_start and character == " ":
            indent += 1
        else:
            at_start = False
        found.append(float(indent))
    return np.array(found)


def _inside_quotes(text: str) -> Floats:
    """Returns whether each character is inside "…"; an open quote ends with its paragraph."""
    inside, found = False, []
    for k, character in enumerate(text):
        if character == '"':
            inside = not inside
        elif text[k - 1 : k + 1] == "\n\n":
            inside = False
        found.append(float(inside))
    return np.array(found)


def _bracket_depth(text: str) -> Floats:
    depth, found = 0, []
    for character in text:
        if character in _CLOSE.values():
            depth += 1
        elif character in _CLOSE and depth:
            depth -= 1
        found.append(float(depth))
    return np.array(found)
