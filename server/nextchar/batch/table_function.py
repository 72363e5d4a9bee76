"""Adds columns to tables: one function for every library of tables, which can be sent to other processes."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

from nextchar.batch.annotator import Annotator, Faults, added_names, annotate_rows
from nextchar.batch.column import Filled, Kind, joined
from nextchar.batch.kinds.table_kind import TableKind, kind_of
from nextchar.batch.opened import opened_once
from nextchar.batch.texts import read_texts
from nextchar.errors import InvalidRequest

OnError = Literal["keep", "stop"]
A = TypeVar("A", bound=Annotator)

MAX_ROWS, MAX_CHARS = 4096, 2**18  # annotated at a time; a longer string is alone
_SQL_TYPES: dict[Kind, str] = {"float64": "double", "int64": "bigint", "bool": "boolean", "string": "string"}


class TableFunction(Generic[A]):
    """Takes a table, or an iterator of tables, and returns the same kind with the columns added.

    Its model is opened when the first rows come, once per process. A pickle has the arguments alone.
    """

    def __init__(self, annotator: A, column: str | None, prefix: str, on_error: OnError) -> None:
        """Checks the arguments.

        Args:
            annotator: What adds the columns.
            column: The column that holds the strings; by default the only one of the table.
            prefix: What the names of the added columns begin with.
            on_error: `keep` leaves the added columns of a row without a string empty, `stop` raises.
        """
        if on_error not in ("keep", "stop"):
            raise InvalidRequest(f"on_error must be keep or stop (it is {on_error!r})", param="on_error")
        self.annotator, self.column = annotator, column
        self.prefix, self.on_error = prefix, on_error

    @property
    def names(self) -> list[str]:
        """The names of the added columns."""
        return added_names(self.annotator, self.prefix)

    @property
    def sql(self) -> str:
        """The added columns as SQL declares them, for the schema that Spark asks for."""
        kinds = (_SQL_TYPES[column.kind] for column in self.annotator.columns)
        return ", ".join(f"{name} {kind}" for name, kind in zip(self.names, kinds, strict=True))

    def __call__(self, batch: Any) -> Any:
        """Returns the batch with the columns added; of an iterator, an iterator of such batches.

        Raises:
            InvalidRequest: the batch is no table, has no such column, or has one of the added names; or a row
                has no string and `on_error` is `stop`.
            NextcharError: the model cannot be opened or used.
        """
        if isinstance(batch, Iterator):
            return map(self._extended, batch)
        return self._extended(batch)

    def _extended(self, batch: Any) -> Any:
        kind = kind_of(batch)
        column = checked_column(kind.names(batch), self.column, self.names, "the batch")
        return kind.extended(batch, self.names, self._added(kind, batch, column))

    def _added(self, kind: TableKind, batch: Any, column: str) -> list[Filled]:
        texts, faults = read_texts(kind.values(batch, column))
        self._check(faults, 0)
        if not texts:  # as a planner sends to learn the schema: no model is needed
            return [column.filled([]) for column in self.annotator.columns]
        opened, columns = opened_once(self.annotator), self.annotator.columns
        parts = []
        for first, end in spans(texts):
            filled, refused = annotate_rows(opened, columns, texts[first:end])
            self._check(refused, first)
            parts.append(filled)
        return joined(parts)

    def _check(self, faults: Faults, first: int) -> None:
        if faults and self.on_error == "stop":
            row, why = next(iter(faults.items()))
            raise InvalidRequest(f"row {first + row + 1} of the batch {why}")


def checked_column(found: Sequence[str], column: str | None, added: Sequence[str], shown: str) -> str:
    """Returns the column of the strings, among those that a table has.

    Raises:
        InvalidRequest: there is no such column or more than one, none is named and there are several, or an
            added one exists.
    """
    if column is None:
        if len(found) != 1:
            raise InvalidRequest(
                f"name the column of the strings: {shown} has {_listed(found)}", param="column"
            )
        column = found[0]
    if column not in found:
        raise InvalidRequest(f"{shown} has no column {column!r}: it has {_listed(found)}", param="column")
    if (count := found.count(column)) > 1:
        raise InvalidRequest(f"{shown} has {count} columns {column!r}: rename all but one", param="column")
    if twice := next((name for name in added if name in found), None):
        raise InvalidRequest(
            f"{shown} has a column {twice!r} already: give the added columns names of their own by a prefix",
            param="prefix",
        )
    return column


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in islice(names, 20))
    return (shown or "none") + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def spans(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yields the first row and the end of consecutive rows that are annotated together."""
    first = num_chars = 0
    for i, value in enumerate(values):
        size = len(value) if isinstance(value, str) else 0
        if i > first and (i - first >= MAX_ROWS or num_chars + size > MAX_CHARS):
            yield first, i
            first, num_chars = i, 0
        num_chars += size
    if first < len(values):
        yield first, len(values)
