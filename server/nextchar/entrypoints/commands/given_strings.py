"""Declares and reads the strings that a command is given: as arguments, in a file or on standard input."""

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import click

from nextchar.batch.files.source import Source
from nextchar.client.parts import named_string
from nextchar.entrypoints.commands.query_arguments import TEXT, Decorator, together
from nextchar.entrypoints.commands.table_options import shown_name
from nextchar.errors import InvalidRequest, NextcharError
from nextchar.model.text_file import read_lines


def string_options(verb: str) -> Decorator:
    """Adds the argument and the options by which strings are given; `verb` is what is done to them."""
    file_help = (
        f"{verb} each row of a file of any size: lines, CSV, JSON Lines or Parquet, compressed or not; - is "
        "standard input."
    )
    encoding_help = "The encoding of the file or of standard input, as utf-16 or latin-1."
    return together(
        click.argument("texts", nargs=-1, type=TEXT),
        click.option("--file", type=click.File("rb"), help=file_help),
        click.option("--encoding", default="utf-8", show_default=True, help=encoding_help),
    )


def given_file(texts: tuple[str, ...], file: IO[bytes] | None, verb: str) -> IO[bytes] | None:
    """Returns the file of the strings, standard input if there is nothing else, None if they are arguments.

    Raises:
        InvalidRequest: strings are given twice, or not at all.
    """
    if texts and file is not None:
        raise InvalidRequest("give the strings either as arguments or with --file, not both")
    if texts or file is not None:
        return file
    if sys.stdin.isatty():
        raise InvalidRequest(
            f"no strings to {verb}: give them as arguments, or one per line on standard input"
        )
    return sys.stdin.buffer


@dataclass(frozen=True, slots=True)
class GivenStrings:
    """The strings that are printed with their answers: arguments, or the lines of a file."""

    texts: tuple[str, ...]
    file: IO[bytes] | None
    encoding: str
    _kept: deque[str] = field(default_factory=deque)

    def __iter__(self) -> Iterator[str]:
        """Yields the strings and keeps each until `answered` returns it."""
        for text in self._strings():
            self._kept.append(text)
            yield text

    def answered(self) -> str:
        """Returns the first string that was not returned yet."""
        return self._kept.popleft()

    @contextmanager
    def located(self) -> Generator[None]:
        """Adds the number of the line to an error of one of the strings of a file."""
        try:
            yield
        except NextcharError as error:
            if self.file is not None and (found := named_string(error)):
                error.message = f"{shown_name(self.file)}, line {int(found[1]) + 1}: {error.message}"
            raise

    def _strings(self) -> Iterable[str]:
        if self.file is None:
            return self.texts
        source = Source(self.file, shown_name(self.file))
        advice = "name its encoding with --encoding"
        return read_lines(source.plain(), shown=source.shown, advice=advice, encoding=self.encoding)
