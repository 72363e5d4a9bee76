"""Reads and extends pandas frames."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from nextchar.batch.column import Filled, Kind

# One dtype per column, whether a batch has missing values or not: the parts of a Dask frame must agree.
_DTYPES: dict[Kind, Any] = {"float64": "float64", "int64": "Int64", "bool": "boolean", "string": object}


class PandasKind:
    """Added whole numbers are `Int64`, which can be missing."""

    def names(self, table: pd.DataFrame) -> list[str]:
        return [str(name) for name in table.columns]

    def values(self, table: pd.DataFrame, column: str) -> Iterable[Any]:
        values: Iterable[Any] = table[column].tolist()
        return values

    def extended(self, table: pd.DataFrame, names: Sequence[str], added: Sequence[Filled]) -> pd.DataFrame:
        return table.assign(
            **{
                name: pd.Series(filled.items(), index=table.index, dtype=_DTYPES[filled.column.kind])
                for name, filled in zip(names, added, strict=True)
            }
        )
