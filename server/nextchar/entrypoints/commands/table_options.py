"""Defines the options of the commands that add columns to a file, and does what they ask for."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, fields
from typing import IO, Any, NoReturn

import click

from nextchar.batch.annotator import Annotator, added_names
from nextchar.batch.files.journal import Journal, journal_path
from nextchar.batch.files.output import output_file
from nextchar.batch.files.progress import Progress
from nextchar.batch.files.run import OnError, Run, writing
from nextchar.batch.files.source import Source
from nextchar.batch.files.table_format import TableOptions, make_reader, make_writer, output_format
from nextchar.entrypoints.commands.query_arguments import together
from nextchar.errors import InvalidRequest
from nextchar.model.file_name import FORMATS, Format, compression_of_name, table_of_name

_STANDARD_INPUT = "standard input"
_INTERRUPTED, _UNWRITTEN = 130, 1
_BROKEN_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # such errors name no file
table_options = together(
    click.option("--column", metavar="NAME", help="The column of the strings; with --no-header its number."),
    click.option(
        "--format",
        "format_name",
        type=click.Choice(FORMATS),
        help="The format of the input; by default as its name ends, else lines.",
    ),
    click.option("--delimiter", metavar="CHAR", help="What separates the fields of CSV; by default a comma."),
    click.option("--no-header", is_flag=True, help="The first line of CSV is a row and names no columns."),
    click.option(
        "--output",
        metavar="FILE",
        help="Write the rows with the columns added into FILE, in the format of the input; lines may become "
        ".csv, .tsv, .jsonl or .parquet. It is compressed if it ends in .gz, .bz2, .xz or .zst.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the output if it exists, and begin again."),
    click.option("--resume", is_flag=True, help="Go on where an interrupted run with this output stopped."),
    click.option(
        "--on-error",
        type=click.Choice(["keep", "skip", "stop"]),
        default="keep",
        show_default=True,
        help="Keep a row without a string that can be read, with nothing added; skip it; or stop.",
    ),
    click.option("--prefix", default="", help="What the names of the added columns begin with."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableArguments:
    """What the options were given; the defaults are those of the options."""

    column: str | None = None
    format_name: Format | None = None
    delimiter: str | None = None
    no_header: bool = False
    output: str | None = None
    overwrite: bool = False
    resume: bool = False
    on_error: OnError = "keep"
    prefix: str = ""

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> "TableArguments":
        """Takes the options of tables out of all arguments of a command."""
        return cls(**{field.name: arguments.pop(field.name) for field in fields(cls)})

    def is_table(self, file: IO[bytes]) -> bool:
        """Returns whether the rows are to be written again with columns added, and not printed as scores."""
        by_name = table_of_name(str(getattr(file, "name", "")))
        kind = self.format_name or by_name
        return self.output is not None or self.column is not None or kind not in (None, "lines")

    def check_unused(self) -> None:
        """Checks that no option of tables was given where scores are printed.

        Raises:
            InvalidRequest: one was.
        """
        given = {"delimiter": self.delimiter, "overwrite": self.overwrite, "resume": self.resume}
        given |= {"prefix": self.prefix, "no-header": self.no_header, "on-error": self.on_error != "keep"}
        if unused := next((name for name, value in given.items() if value), None):
            raise InvalidRequest(f"--{unused} is for tables: give --output, --column or --format too")

    def check_no_file(self) -> None:
        """Checks that no option was given that needs a file; the strings are arguments of the command.

        Raises:
            InvalidRequest: one was.
        """
        given = {"output": self.output, "column": self.column, "format": self.format_name}
        if unused := next((name for name, value in given.items() if value), None):
            raise InvalidRequest(f"--{unused} is for files: give the strings with --file, not as arguments")


def annotate_file(annotator: Annotator, file: IO[bytes], arguments: TableArguments, encoding: str) -> None:
    """Writes the rows of a file with columns added, tells how far it is, and what could not be done.

    Raises:
        InvalidRequest: the input, or an option, cannot be used.
        NextcharError: the model cannot be used.
    """
    output = None if arguments.output in (None, "-") else arguments.output
    with closing(Source(file, shown_name(file))) as source:
        _annotate(annotator, source, str(getattr(file, "name", "")), output, arguments, encoding)


def _annotate(
    annotator: Annotator,
    source: Source,
    name: str,
    output: str | None,
    arguments: TableArguments,
    encoding: str,
) -> None:
    _check_output(source, output, arguments)
    options = TableOptions(
        format=arguments.format_name,
        column=arguments.column,
        encoding=encoding,
        delimiter=arguments.delimiter,
        has_header=not arguments.no_header,
    )
    kind = options.format_for(source, name)
    names = added_names(annotator, arguments.prefix)
    reader = make_reader(source, kind, options, names)
    num_rows: int | None = getattr(reader, "num_rows", None)
    fraction = _fraction(source, num_rows, lambda: progress.num_rows)
    progress = Progress(reader.place, fraction, quiet=output is None and sys.stdout.isatty())
    run = Run(annotator, reader, arguments.on_error, source.shown, progress)
    written = output_format(reader, kind, output)
    try:
        with ExitStack() as stack:
            opened = stack.enter_context(annotator.open())
            wanted = {**opened.identity, "columns": list(map(str, annotator.columns))}
            journal = stack.enter_context(_journal(output, wanted, annotator, arguments))
            sink = stack.enter_context(output_file(output, compression_of_name(output or "")))
            writer = make_writer(sink, written, reader, names, annotator.columns)
            run.execute(opened, stack.enter_context(writing(writer)), journal)
    except KeyboardInterrupt:
        _give_up(progress, "interrupted", output, _INTERRUPTED)
    except OSError as error:
        if output is None or not _is_of_output(error, output):
            raise
        _give_up(progress, f"{output!r} cannot be written: {error.strerror}", output, _UNWRITTEN)
    except Exception:
        _tell(progress, [])
        if output is not None and _is_kept(output) and progress.num_rows:
            click.echo(_advice(progress), err=True)
        raise
    _tell(progress, progress.summary())


def shown_name(file: IO[bytes]) -> str:
    """Returns the name of a file in an error; that of standard input is `<stdin>`, or it has none."""
    name = getattr(file, "name", "<stdin>")
    return _STANDARD_INPUT if name == "<stdin>" else repr(name)


def _check_output(source: Source, output: str | None, arguments: TableArguments) -> None:
    if output is None:
        if arguments.resume or arguments.overwrite:
            raise InvalidRequest("--resume and --overwrite need --output: standard output is not kept")
        return
    if arguments.resume and arguments.overwrite:
        raise InvalidRequest("give --resume or --overwrite, not both: one goes on and one begins again")
    if source.is_same_file(output):
        raise InvalidRequest(f"--output {output!r} is the input: give it another name")
    if os.path.isdir(output):
        raise InvalidRequest(f"--output {output!r} is a folder: name a file in it")
    if not os.path.isdir(os.path.dirname(output) or "."):
        raise InvalidRequest(f"--output {output!r}: there is no such folder; make it first")
    if arguments.overwrite:
        journal_path(output).unlink(missing_ok=True)
    elif os.path.exists(output):
        raise InvalidRequest(
            f"--output {output!r} exists: give it another name, or replace it by --overwrite"
        )


def _journal(
    output: str | None, wanted: dict[str, Any], annotator: Annotator, arguments: TableArguments
) -> Any:
    if output is None:
        return nullcontext()
    return Journal(journal_path(output), wanted, annotator.columns, resume=arguments.resume)


def _fraction(
    source: Source, num_rows: int | None, num_done: Callable[[], int]
) -> Callable[[], float | None]:
    if num_rows is not None:
        return lambda: num_done() / num_rows if num_rows else None
    return source.fraction


def _give_up(progress: Progress, why: str, output: str | None, status: int) -> NoReturn:
    lines = [f"Error: {why}"]
    if output is None:
        lines.append(f"{progress.num_rows:,} rows were written")
    elif _is_kept(output):
        lines.append(_advice(progress))
    _tell(progress, lines)
    sys.exit(status)


def _is_of_output(error: OSError, output: str) -> bool:
    """Returns whether an error is one of writing the output or the files beside it."""
    return error.errno in _BROKEN_DISK or str(error.filename).startswith(output)


def _is_kept(output: str) -> bool:
    """Returns whether there is a journal to go on from; unlike pathlib's, this takes a name of any length."""
    return os.path.exists(journal_path(output))


def _advice(progress: Progress) -> str:
    return f"{progress.num_rows:,} rows are done; the same command with --resume goes on after them"


def _tell(progress: Progress, lines: Sequence[str]) -> None:
    progress.clear()
    for line in lines:
        click.echo(line, err=True)
