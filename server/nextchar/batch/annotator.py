"""Defines what adds columns to strings, and adds them to rows of which some have no string."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from nextchar.batch.column import Column, Filled, joined
from nextchar.client.parts import named_string
from nextchar.errors import InvalidRequest

_PIECE_ROWS = 256  # a string that is refused is found and left out at the cost of a request of so many
Faults = dict[int, str]  # by row: why it has no values


class OpenAnnotator(Protocol):
    """A model that is open; threads may share one."""

    @property
    def identity(self) -> dict[str, str]:
        """What the values depend on beside the strings: model, version, arguments."""
        ...

    def annotate(self, strings: list[str]) -> list[Filled]:
        """Returns the columns of at least one string.

        Raises:
            InvalidRequest: a string is refused; `param` is `input.` and its number.
            NextcharError: the model cannot be used.
        """
        ...


class Annotator(Protocol):
    """Says which columns are added, before any model is open, and opens what computes them.

    It can be pickled, compared and hashed: a process opens each once.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the order in which they are added."""
        ...

    def open(self) -> AbstractContextManager[OpenAnnotator]:
        """Opens the model."""
        ...


def added_names(annotator: Annotator, prefix: str) -> list[str]:
    """Returns the names of the added columns."""
    return [prefix + column.name for column in annotator.columns]


def annotate_rows(
    opened: OpenAnnotator, columns: Sequence[Column], texts: Sequence[str | None]
) -> tuple[list[Filled], Faults]:
    """Returns the columns of each row, missing where there is no string or it is refused, and why it is.

    Raises:
        NextcharError: as `annotate`, but for a refused string.
    """
    places = [i for i, text in enumerate(texts) if text is not None]
    strings = [text for text in texts if text is not None]
    if not strings:
        return _nothing(columns, len(texts)), {}
    try:
        whole = opened.annotate(strings)
    except InvalidRequest as error:
        if named_string(error) is None:
            raise
        found, faults = _piecewise(opened, columns, strings)
        return [filled.spread(places, len(texts)) for filled in found], {
            places[i]: why for i, why in faults.items()
        }
    return [filled.spread(places, len(texts)) for filled in whole], {}


def _piecewise(
    opened: OpenAnnotator, columns: Sequence[Column], strings: list[str]
) -> tuple[list[Filled], Faults]:
    """Annotates strings of which some are refused, a piece at a time."""
    parts: list[list[Filled]] = []
    faults: Faults = {}
    for first in range(0, len(strings), _PIECE_ROWS):
        piece = strings[first : first + _PIECE_ROWS]
        filled, refused = _without_refused(opened, columns, piece)
        parts.append(filled)
        faults |= {first + i: why for i, why in refused.items()}
    return joined(parts), faults


def _without_refused(
    opened: OpenAnnotator, columns: Sequence[Column], strings: list[str]
) -> tuple[list[Filled], Faults]:
    left, faults = list(range(len(strings))), Faults()
    while left:
        try:
            found = opened.annotate([strings[i] for i in left])
        except InvalidRequest as error:
            if (named := named_string(error)) is None:
                raise
            place = left.pop(int(named[1]))
            faults[place] = error.message.removeprefix(named[0]).lstrip(": ")
        else:
            return [filled.spread(left, len(strings)) for filled in found], faults
    return _nothing(columns, len(strings)), faults


def _nothing(columns: Sequence[Column], num_rows: int) -> list[Filled]:
    return [column.filled([None] * num_rows) for column in columns]
