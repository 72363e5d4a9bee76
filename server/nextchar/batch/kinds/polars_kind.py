"""Reads and extends polars frames."""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from nextchar.batch.column import Filled, Kind

_DTYPES: dict[Kind, Any] = {"float64": pl.Float64, "int64": pl.Int64, "bool": pl.Boolean, "string": pl.String}


class PolarsKind:
    """Missing values are null."""

    def names(self, table: pl.DataFrame) -> list[str]:
        names: list[str] = table.columns
        return names

    def values(self, table: pl.DataFrame, column: str) -> Iterable[Any]:
        values: list[Any] = table[column].to_list()
        return values

    def extended(self, table: pl.DataFrame, names: Sequence[str], added: Sequence[Filled]) -> pl.DataFrame:
        return table.with_columns(
            pl.Series(name, filled.items(), dtype=_DTYPES[filled.column.kind])
            for name, filled in zip(names, added, strict=True)
        )
