"""Defines the columns that are added to a table, and their values for some rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Kind = Literal["float64", "int64", "bool", "string"]
_DTYPES: dict[Kind, Any] = {"float64": np.float64, "int64": np.int64, "bool": np.bool_, "string": object}
_EMPTY: dict[Kind, Any] = {"float64": np.nan, "int64": 0, "bool": False, "string": None}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and the kind of its values, any of which may be missing."""

    name: str
    kind: Kind

    def filled(self, values: Sequence[Any]) -> "Filled":
        """Returns the column with these values; None is one that is missing."""
        present = np.array([value is not None for value in values], dtype=np.bool_)
        empty = _EMPTY[self.kind]
        known = [empty if value is None else value for value in values]
        return Filled(self, np.array(known, dtype=_DTYPES[self.kind]), present)


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A column's values [n], and which are there [n]; a missing one is NaN, 0, False or None in `values`."""

    column: Column
    values: NDArray[Any]
    present: NDArray[np.bool_]

    def items(self) -> list[Any]:
        """Returns the values as Python's, None where one is missing."""
        pairs = zip(self.values.tolist(), self.present.tolist(), strict=True)
        return [value if there else None for value, there in pairs]

    def spread(self, places: Sequence[int], num_rows: int) -> Self:
        """Returns the column with the values at these rows of `num_rows`, and none at the others."""
        if len(places) == num_rows:
            return self
        values = np.full(num_rows, _EMPTY[self.column.kind], dtype=self.values.dtype)
        present = np.zeros(num_rows, dtype=np.bool_)
        values[places], present[places] = self.values, self.present
        return type(self)(self.column, values, present)


def joined(parts: Sequence[Sequence[Filled]]) -> list[Filled]:
    """Joins the same columns of consecutive rows."""
    if len(parts) == 1:
        return list(parts[0])
    return [
        Filled(
            same[0].column,
            np.concatenate([part.values for part in same]),
            np.concatenate([part.present for part in same]),
        )
        for same in zip(*parts, strict=True)
    ]
