"""Reads and extends Arrow tables and record batches."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from nextchar.batch.column import Column, Filled, Kind

_TYPES: dict[Kind, Any] = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


class ArrowKind:
    """Missing values are null."""

    def names(self, table: Any) -> list[str]:
        names: list[str] = table.schema.names
        return names

    def values(self, table: Any, column: str) -> Iterable[Any]:
        return arrow_values(table[column])

    def extended(self, table: Any, names: Sequence[str], added: Sequence[Filled]) -> Any:
        for name, filled in zip(names, added, strict=True):
            field = arrow_field(name, filled.column)
            table = table.append_column(field, pa.array(filled.items(), type=field.type))
        return table


def arrow_field(name: str, column: Column) -> Any:
    """Returns the field of an added column."""
    return pa.field(name, _TYPES[column.kind])


def arrow_values(array: Any) -> list[Any]:
    """Returns the values of a column; one that is not UTF-8 comes with a surrogate for each wrong byte."""
    try:
        values: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        raw = array.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode(errors="surrogateescape") for value in raw]
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return [None if value is None else value.decode(errors="surrogateescape") for value in values]
    return values
