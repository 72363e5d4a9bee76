"""Implements `nextchar score`, with a model file or with the model of a server."""

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, Any

import click

from nextchar.batch.files.source import Source
from nextchar.batch.scores import ScoreAnnotator
from nextchar.client.parts import join_scores, named_string
from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.entrypoints.commands.query_arguments import JSON, MODEL, PRECISION, TEXT
from nextchar.entrypoints.commands.table_options import (
    TableArguments,
    annotate_file,
    shown_name,
    table_options,
)
from nextchar.errors import InvalidRequest, NextcharError
from nextchar.model.text_file import read_lines
from nextchar.schemas.score import Score


@click.command
@MODEL
@click.argument("texts", nargs=-1, type=TEXT)
@click.option(
    "--file",
    type=click.File("rb"),
    help="Score each row of a file of any size: lines, CSV, JSON Lines or Parquet, compressed or not; - is "
    "standard input.",
)
@click.option(
    "--encoding",
    default="utf-8",
    show_default=True,
    help="The encoding of the file or of standard input, as utf-16 or latin-1.",
)
@click.option("--context", type=TEXT, default="", help="The text before every string; it is not scored.")
@click.option("--include-end", is_flag=True, help="Also score the end symbol, which models of lines have.")
@click.option("--return-chars", is_flag=True, help="Also print the log-probability of every character.")
@url_option
@PRECISION
@JSON
@table_options
def score(
    model: str,
    texts: tuple[str, ...],
    file: IO[bytes] | None,
    encoding: str,
    url: str | None,
    precision: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Score how likely MODEL finds each of TEXTS, or each row of a file or of standard input.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server. Lines end in LF, CRLF or CR. The scores of strings and of lines are printed; those of
    a table, and with --output, are written as columns beside the row's own.
    """
    tables = TableArguments.taken_from(arguments)
    if texts and file is not None:
        raise InvalidRequest("give the strings either as arguments or with --file, not both")
    if texts:
        tables.check_no_file()
    else:
        file = file or _standard_input()
        if tables.is_table(file):
            if as_json or arguments["return_chars"]:
                raise InvalidRequest(
                    "--json and --return-chars are for scores that are printed, not for a table"
                )
            asked = ScoreAnnotator(
                model, url, precision, None, arguments["context"], arguments["include_end"]
            )
            annotate_file(asked, file, tables, encoding)
            return
    tables.check_unused()
    _print_scores(model, url, precision, texts, file, encoding, as_json=as_json, arguments=arguments)


def _print_scores(
    model: str,
    url: str | None,
    precision: str,
    texts: tuple[str, ...],
    file: IO[bytes] | None,
    encoding: str,
    *,
    as_json: bool,
    arguments: Any,
) -> None:
    strings: Iterable[str] = texts
    shown = ""
    if file is not None:
        source = Source(file, shown_name(file))
        shown, strings = source.shown, _lines(source, encoding)
    texts_of_answers: deque[str] = deque()
    given = _kept(strings, texts_of_answers)
    located = _located(shown) if shown else nullcontext()
    with located, answering(model, url, precision) as (client, name):
        answers = client.score_batches(given, model=name, **arguments)
        if as_json:
            click.echo(join_scores(list(answers)).model_dump_json(indent=2))
            return
        click.echo("   logprob  bits/char  percentile   p-value  chars  unknown  text")
        for answer in answers:
            for item in answer.data:
                _print_score(item, texts_of_answers.popleft())


def _print_score(item: Score, text: str) -> None:
    rank = "" if item.percentile is None else f"{item.percentile:.1f}"
    share = "" if item.p_value is None else f"{item.p_value:.2g}"
    counts = f"{rank:>11} {share:>9} {item.num_chars:6d} {item.num_unknown:8d}"
    click.echo(f"{item.logprob:10.3f} {item.bits_per_char:10.3f} {counts}  {text!r}")
    for char in item.chars or ():
        shown = f"<{char.special}>" if char.special else repr(char.char)
        click.echo(f"{char.logprob:10.3f}  {shown}")


def _kept(strings: Iterable[str], kept: deque[str]) -> Iterator[str]:
    """Yields the strings and keeps each until its response is printed."""
    for text in strings:
        kept.append(text)
        yield text


def _standard_input() -> IO[bytes]:
    if sys.stdin.isatty():
        raise InvalidRequest("no strings to score: give them as arguments, or one per line on standard input")
    return sys.stdin.buffer


def _lines(source: Source, encoding: str) -> Iterator[str]:
    advice = "name its encoding with --encoding"
    return read_lines(source.plain(), shown=source.shown, advice=advice, encoding=encoding)


@contextmanager
def _located(shown: str) -> Generator[None]:
    """Adds the number of the line to an error of one of the strings of a file."""
    try:
        yield
    except NextcharError as error:
        if found := named_string(error):
            error.message = f"{shown}, line {int(found[1]) + 1}: {error.message}"
        raise
