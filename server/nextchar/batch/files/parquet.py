"""Reads and writes Parquet, with pyarrow."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from nextchar.batch.annotator import Faults
from nextchar.batch.column import Column, Filled
from nextchar.batch.files.block import Block, make_block
from nextchar.batch.files.line_tables import TEXT
from nextchar.batch.kinds.arrow_kind import arrow_field, arrow_values
from nextchar.batch.table_function import MAX_ROWS, checked_column, spans
from nextchar.errors import InvalidRequest

_BUFFER_BYTES = 2**20  # read at a time of each column, in place of a whole row group
_READ_BYTES = 2**24  # of all columns, in a batch of rows
_GROUP_ROWS, _GROUP_BYTES = 2**17, 2**25  # of a row group that is written
_TYPES = ("string", "large_string", "string_view", "binary", "large_binary")


class Parquet:
    """A column of a Parquet file is the strings; all columns are read, for they are written again."""

    place = "row"

    def __init__(self, file: IO[bytes], column: str | None, added: Sequence[str], *, shown: str) -> None:
        """Reads the footer.

        Raises:
            InvalidRequest: it is no whole Parquet file, or it has no such column of strings.
        """
        self._shown = shown
        try:
            self._file = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise InvalidRequest(f"{shown} is cut off, or no Parquet file: {error}") from None
        self.schema = self._file.schema_arrow
        self._column = checked_column(self.schema.names, column, added, shown)
        kind = self.schema.field(self._column).type
        held = kind.value_type if pa.types.is_dictionary(kind) else kind
        if str(held) not in _TYPES:
            raise InvalidRequest(
                f"{shown}: column {self._column!r} must hold strings (it holds {kind})", param="column"
            )
        self.num_rows: int = self._file.metadata.num_rows

    def blocks(self) -> Iterator[Block]:
        number = 1
        try:
            for batch in self._batches():
                values = arrow_values(batch[self._column])
                for first, end in spans(values):
                    size = end - first
                    part = batch.slice(first, size)
                    yield make_block(range(number, number + size), values[first:end], {}, part)
                    number += size
        except (pa.ArrowException, OSError) as error:
            raise InvalidRequest(
                f"{self._shown} is damaged: it cannot be read beyond row {number - 1} ({error})"
            ) from None

    def _batches(self) -> Iterator[Any]:
        metadata = self._file.metadata
        for group in range(metadata.num_row_groups):
            found = metadata.row_group(group)
            row_bytes = found.total_byte_size / max(1, found.num_rows)
            num_rows = max(1, min(8 * MAX_ROWS, int(_READ_BYTES / max(1.0, row_bytes))))
            yield from self._file.iter_batches(num_rows, row_groups=[group], use_threads=False)


class ParquetWriter:
    """Writes row groups of a size that depends on the rows alone."""

    def __init__(
        self, file: IO[bytes], schema: Any | None, names: Sequence[str], columns: Sequence[Column]
    ) -> None:
        """Begins a file: of the columns of `schema`, or of lines without one, and of the added ones."""
        self._from_lines = schema is None
        whole = pa.schema([pa.field(TEXT, pa.string())]) if schema is None else schema
        self._fields = [arrow_field(name, column) for name, column in zip(names, columns, strict=True)]
        for field in self._fields:
            whole = whole.append(field)
        self._schema, self._writer = whole, pq.ParquetWriter(file, whole)
        self._kept: list[Any] = []
        self._num_rows = self._num_bytes = 0

    def write(self, block: Block, added: Sequence[Filled], left_out: Faults) -> None:
        columns = [pa.array(block.texts, pa.string())] if self._from_lines else block.raw.columns
        arrays = [
            *columns,
            *(pa.array(f.items(), field.type) for f, field in zip(added, self._fields, strict=True)),
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        if left_out:
            batch = batch.take([i for i in range(batch.num_rows) if i not in left_out])
        self._kept.append(batch)
        self._num_rows += batch.num_rows
        self._num_bytes += batch.nbytes
        if self._num_rows >= _GROUP_ROWS or self._num_bytes >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        if self._kept:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._kept, schema=self._schema)
        self._kept.clear()
        self._num_rows = self._num_bytes = 0
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)
