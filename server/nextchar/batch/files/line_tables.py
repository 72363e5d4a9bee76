"""Reads and writes lines, CSV and JSON Lines."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from nextchar.batch.annotator import Faults
from nextchar.batch.column import Filled
from nextchar.batch.files.block import Block, Row, cut_into_blocks
from nextchar.batch.table_function import checked_column
from nextchar.errors import InvalidRequest

Write = Callable[[bytes], object]
TEXT = "text"  # the column of a table that is made of lines
_MAX_FIELD_CHARS = 2**26  # a quotation mark that is never closed would take the rest of the file as one field


class Lines:
    """Each line is a string."""

    place = "line"

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def blocks(self) -> Iterator[Block]:
        return cut_into_blocks(Row(i, line, None, line) for i, line in enumerate(self._lines, 1))


class Csv:
    """Records of fields, under a header that names the columns."""

    place = "line"

    def __init__(
        self,
        lines: Iterator[str],
        column: str | None,
        added: Sequence[str],
        *,
        shown: str,
        delimiter: str,
        has_header: bool,
    ) -> None:
        """Reads the header, or the first record.

        Raises:
            InvalidRequest: there is no such column.
        """
        csv.field_size_limit(_MAX_FIELD_CHARS)
        self._shown, self._records = shown, csv.reader((line + "\n" for line in lines), delimiter=delimiter)
        self.delimiter, self._begun = delimiter, list[tuple[int, list[str]]]()
        first = next(self._rows(), (1, []))
        names = first[1] if has_header else [str(i) for i in range(1, len(first[1]) + 1)]
        self.header = names if has_header else None
        if not has_header:
            self._begun.append(first)
        self._place = names.index(checked_column(names, column, added if has_header else (), shown))
        self.num_fields = len(names)

    def blocks(self) -> Iterator[Block]:
        return cut_into_blocks(self._row(line, fields) for line, fields in chain(self._begun, self._rows()))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yields each record that is not an empty line, and the line that it begins in."""
        line = self._records.line_num + 1
        try:
            for fields in self._records:
                if fields:
                    yield line, fields
                elif getattr(self, "num_fields", 0) == 1:
                    yield line, [""]
                line = self._records.line_num + 1
        except csv.Error as error:
            raise InvalidRequest(
                f"{self._shown}, line {line}: no CSV from here on ({error}); a quotation mark may be "
                "missing, or --delimiter be another"
            ) from None

    def _row(self, line: int, fields: list[str]) -> Row:
        if len(fields) > self.num_fields or len(fields) <= self._place:
            fault = f"has {_fields(len(fields))}, where the first line has {self.num_fields}"
            return Row(line, None, fault, fields)
        return Row(line, fields[self._place], None, fields)


class JsonLines:
    """Each line is a JSON object."""

    place = "line"

    def __init__(self, lines: Iterator[str], column: str | None, added: Sequence[str], *, shown: str) -> None:
        self._lines, self._column = lines, column
        self._added, self._shown = added, shown
        self._first: tuple[int, list[str]] | None = None  # the first object: its line and its names
        self._has_column = False

    def blocks(self) -> Iterator[Block]:
        numbered = enumerate(self._lines, 1)
        for block in cut_into_blocks(self._row(i, line) for i, line in numbered if line.strip()):
            if self._first is not None and not self._has_column:
                self._check(*self._first)
            yield block

    def _row(self, number: int, line: str) -> Row:
        """Returns the row of a line; it is written again as an object with more fields only if it is one."""
        try:
            fields = json.loads(line)
        except ValueError as error:
            return Row(number, None, f"is no JSON: {error}", (line, False))
        except RecursionError:
            return Row(number, None, "is nested too deeply", (line, False))
        if not isinstance(fields, dict):
            return Row(number, None, "is no JSON object", (line, False))
        self._first = self._first or (number, list(fields))
        if self._column is None or any(name in fields for name in self._added):
            self._column = self._check(number, list(fields))
        if self._column not in fields:
            return Row(number, None, f"has no {self._column!r}", (line, True))
        self._has_column = True
        return Row(number, fields[self._column], None, (line, True))

    def _check(self, number: int, names: list[str]) -> str:
        return checked_column(names, self._column, self._added, f"{self._shown}, line {number},")


class LineWriter:
    """Writes a line of tabs for each string: the added columns, then the string, which may hold tabs."""

    def __init__(self, write: Write, names: Sequence[str]) -> None:
        self._write = write
        write(("\t".join([*names, TEXT]) + "\n").encode())

    def write(self, block: Block, added: Sequence[Filled], left_out: Faults) -> None:
        lines = [
            "\t".join([*map(_cell, values), text])
            for i, (text, *values) in enumerate(zip(block.raw, *(f.items() for f in added), strict=True))
            if i not in left_out
        ]
        self._write(_encoded(lines))

    def close(self) -> None:
        """Does nothing: every line was written."""


class CsvWriter:
    """Writes records with more fields."""

    def __init__(
        self,
        write: Write,
        header: Sequence[str] | None,
        num_fields: int,
        names: Sequence[str],
        delimiter: str,
    ) -> None:
        self._write, self._num_fields, self._delimiter = write, num_fields, delimiter
        if header is not None:
            self._write_records([[*header, *names]])

    def write(self, block: Block, added: Sequence[Filled], left_out: Faults) -> None:
        self._write_records(
            self._record(fields, values)
            for i, (fields, *values) in enumerate(zip(block.raw, *(f.items() for f in added), strict=True))
            if i not in left_out
        )

    def close(self) -> None:
        """Does nothing: every record was written."""

    def _record(self, fields: Sequence[str] | str, values: list[Any]) -> list[str]:
        if isinstance(fields, str):  # a line
            return [fields, *map(_cell, values)]
        if len(fields) > self._num_fields:  # its own fields would be taken for the added ones
            return list(fields)
        return [*fields, *[""] * (self._num_fields - len(fields)), *map(_cell, values)]

    def _write_records(self, records: Any) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n").writerows(records)
        self._write(text.getvalue().encode("utf-8", "surrogateescape"))


class JsonLineWriter:
    """Writes objects with more fields; what each had is written as it was."""

    def __init__(self, write: Write, names: Sequence[str]) -> None:
        self._write, self._names = write, names

    def write(self, block: Block, added: Sequence[Filled], left_out: Faults) -> None:
        lines = [
            self._line(line, values)
            for i, (line, *values) in enumerate(zip(block.raw, *(f.items() for f in added), strict=True))
            if i not in left_out
        ]
        self._write(_encoded(lines))

    def close(self) -> None:
        """Does nothing: every object was written."""

    def _line(self, raw: str | tuple[str, bool], values: list[Any]) -> str:
        if isinstance(raw, str):  # a line of text
            line, is_object = json.dumps({TEXT: raw}, ensure_ascii=False), True
        else:
            line, is_object = raw
        if not is_object:
            return line
        fields = json.dumps(dict(zip(self._names, values, strict=True)), ensure_ascii=False)
        before = line.rstrip()[:-1].rstrip()
        return before + ("" if before.endswith("{") else ", ") + fields[1:]


def _cell(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _encoded(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
