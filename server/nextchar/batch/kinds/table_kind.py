"""Finds what kind of table a batch is, without importing a library that its caller has not."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from nextchar.batch.column import Filled
from nextchar.errors import InvalidRequest


class TableKind(Protocol):
    """Reads and extends the tables of one library."""

    def names(self, table: Any) -> list[str]:
        """Returns the names of the columns."""
        ...

    def values(self, table: Any, column: str) -> Iterable[Any]:
        """Returns the values of a column; None, or no string, where there is none."""
        ...

    def extended(self, table: Any, names: Sequence[str], added: Sequence[Filled]) -> Any:
        """Returns the table with more columns, of these names."""
        ...


def kind_of(table: Any) -> TableKind:
    """Returns how a table is read and extended.

    Raises:
        InvalidRequest: it is of no kind that is known.
    """
    library = type(table).__module__.partition(".")[0]
    if library == "pyarrow":
        from nextchar.batch.kinds.arrow_kind import ArrowKind

        return ArrowKind()
    if library == "pandas":
        from nextchar.batch.kinds.pandas_kind import PandasKind

        return PandasKind()
    if library == "polars":
        from nextchar.batch.kinds.polars_kind import PolarsKind

        return PolarsKind()
    if isinstance(table, Mapping):
        from nextchar.batch.kinds.numpy_kind import NumpyKind

        return NumpyKind()
    raise InvalidRequest(
        "a batch must be an Arrow table or record batch, a pandas or polars frame, or a dictionary of arrays "
        f"(it is a {type(table).__module__}.{type(table).__qualname__})"
    )
