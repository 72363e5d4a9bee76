"""Reads and extends dictionaries of NumPy arrays."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nextchar.batch.column import Filled


class NumpyKind:
    """A row without a value has NaN, 0, False or None, for arrays have no missing values."""

    def names(self, table: Mapping[str, Any]) -> list[str]:
        return list(table)

    def values(self, table: Mapping[str, Any], column: str) -> Iterable[Any]:
        values: Iterable[Any] = np.asarray(table[column]).tolist()
        return values

    def extended(
        self, table: Mapping[str, Any], names: Sequence[str], added: Sequence[Filled]
    ) -> dict[str, Any]:
        return {**table, **{name: filled.values for name, filled in zip(names, added, strict=True)}}
