"""Chooses the format of a table by its name, and makes its reader and its writer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from nextchar.batch.arrow import arrow
from nextchar.batch.column import Column
from nextchar.batch.files.block import TableReader, TableWriter
from nextchar.batch.files.line_tables import (
    TEXT,
    Csv,
    CsvWriter,
    JsonLines,
    JsonLineWriter,
    Lines,
    LineWriter,
)
from nextchar.batch.files.source import Source
from nextchar.errors import InvalidRequest
from nextchar.model.file_name import FORMATS, Format, table_of_name
from nextchar.model.text_file import read_lines

_DELIMITERS: dict[str, str] = {"csv": ",", "tsv": "\t"}
_UTF8 = ("utf8", "utf-8", "utf_8", "ascii", "us-ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a table is read: `format` by default as its name says, the delimiter as its format has it."""

    format: Format | None = None
    column: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    has_header: bool = True

    def __post_init__(self) -> None:
        """Checks the delimiter.

        Raises:
            InvalidRequest: it cannot separate fields.
        """
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise InvalidRequest(
                f"--delimiter must be one character and no quotation mark or newline (it is "
                f"{self.delimiter!r}); --format tsv has tabs"
            )

    def format_for(self, source: Source, name: str) -> Format:
        """Returns the format of an input; standard input, and a file with any other suffix, has lines."""
        if self.format is not None:
            return self.format
        return "parquet" if source.is_parquet else table_of_name(name) or "lines"


def make_reader(source: Source, kind: Format, options: TableOptions, added: Sequence[str]) -> TableReader:
    """Opens a table of strings.

    Raises:
        InvalidRequest: it has no such column, or is not what its format says.
    """
    if kind not in _DELIMITERS and (options.delimiter is not None or not options.has_header):
        raise InvalidRequest(
            f"--delimiter and --no-header are for CSV, and {source.shown} is read as {kind}: name its format "
            "with --format csv"
        )
    if kind == "parquet":
        arrow("Parquet")
        from nextchar.batch.files.parquet import Parquet

        return Parquet(source.seekable(), options.column, added, shown=source.shown)
    if kind == "lines" and options.column not in (None, TEXT):
        raise InvalidRequest(
            f"{source.shown} is read as lines, which have no column {options.column!r}: name its format with "
            f"--format ({', '.join(FORMATS[1:])})",
            param="column",
        )
    # Wrong bytes of UTF-8 are kept: a row that has some is no string, and is written again as it was.
    errors = "surrogateescape" if options.encoding.lower() in _UTF8 else "strict"
    lines = read_lines(
        source.plain(),
        shown=source.shown,
        advice="name its encoding with --encoding",
        encoding=options.encoding,
        errors=errors,
    )
    if kind == "lines":
        return Lines(lines)
    if kind == "jsonl":
        return JsonLines(lines, options.column, added, shown=source.shown)
    return Csv(
        lines,
        options.column,
        added,
        shown=source.shown,
        delimiter=options.delimiter or _DELIMITERS[kind],
        has_header=options.has_header,
    )


def output_format(reader: TableReader, kind: Format, name: str | None) -> Format:
    """Returns the format of an output: that of the input; lines become any table that the name says.

    Raises:
        InvalidRequest: the name says another format than the input has.
    """
    wanted = None if name is None else table_of_name(name)
    if isinstance(reader, Lines):
        return wanted or "lines"
    if wanted not in (None, kind):
        raise InvalidRequest(
            f"--output {name!r} would be written as {kind}, as the input is: give it such a name"
        )
    return kind


def make_writer(
    file: IO[bytes], kind: Format, reader: TableReader, names: Sequence[str], columns: Sequence[Column]
) -> TableWriter:
    """Begins the output of a reader's rows."""
    if kind == "parquet":
        arrow("Parquet")
        from nextchar.batch.files.parquet import ParquetWriter

        schema: Any = getattr(reader, "schema", None)
        return ParquetWriter(file, schema, names, columns)
    if kind == "lines":
        return LineWriter(file.write, names)
    if kind == "jsonl":
        return JsonLineWriter(file.write, names)
    if isinstance(reader, Csv):
        return CsvWriter(file.write, reader.header, reader.num_fields, names, reader.delimiter)
    return CsvWriter(file.write, [TEXT], 1, names, _DELIMITERS[kind])
