"""Implements `nextchar score`, `next` and `complete`, with a model file or with the model of a server."""

import os
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import click

from nextchar.client.parts import join_scores, named_string
from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.errors import InvalidRequest, NextcharError
from nextchar.model.text_file import ByteSource, read_lines
from nextchar.schemas.score import Score

_STANDARD_INPUT = "standard input"


class _TextArgument(click.ParamType[str]):
    """A text in UTF-8.

    Python passes a byte that is none on as a lone surrogate, which a model would read as one more unknown
    character.
    """

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text.

        Raises:
            InvalidRequest: it is not UTF-8.
        """
        try:
            value.encode()
        except UnicodeEncodeError as error:
            offset, (byte,) = len(value[: error.start].encode()), os.fsencode(value[error.start])
            shown = param.get_error_hint(ctx) if param is not None and ctx is not None else "the text"
            raise InvalidRequest(
                f"{shown} is not UTF-8: byte 0x{byte:02x} at offset {offset}; give it in UTF-8"
            ) from None
        return value


_TEXT = _TextArgument()
_MODEL = click.argument("model")
_PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "float32"]),
    default="auto",
    show_default=True,
    help="The precision of the model file; auto prefers int8. Not used with --url.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the response as the server sends it.")


@click.command
@_MODEL
@click.argument("texts", nargs=-1, type=_TEXT)
@click.option(
    "--file",
    type=click.File("rb"),
    help="Score each line of a file, of any length, as it is read; - is standard input.",
)
@click.option(
    "--encoding",
    default="utf-8",
    show_default=True,
    help="The encoding of the file or of standard input, as utf-16 or latin-1.",
)
@click.option("--context", type=_TEXT, default="", help="The text before every string; it is not scored.")
@click.option("--include-end", is_flag=True, help="Also score the end symbol, which models of lines have.")
@click.option("--return-chars", is_flag=True, help="Also print the log-probability of every character.")
@url_option
@_PRECISION
@_JSON
def score(
    model: str,
    texts: tuple[str, ...],
    file: ByteSource | None,
    encoding: str,
    url: str | None,
    precision: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Score how likely MODEL finds each of TEXTS, or each line of standard input.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server. Lines end in LF, CRLF or CR.
    """
    if texts and file is not None:
        raise InvalidRequest("give the strings either as arguments or with --file, not both")
    shown = _shown(file)
    strings: Iterable[str] = texts
    if file is not None:
        strings = _lines(file, shown, encoding)
    elif not texts:
        strings = list(_lines(_standard_input(), shown, encoding))

    texts_of_answers: deque[str] = deque()
    given = _kept(strings, texts_of_answers)
    located = nullcontext() if texts else _located(shown)
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


@click.command("next")
@_MODEL
@click.argument("text", default="", type=_TEXT)
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many characters to list."
)
@url_option
@_PRECISION
@_JSON
def next_chars(model: str, text: str, top: int, url: str | None, precision: str, as_json: bool) -> None:
    """List the characters that MODEL finds most likely after TEXT."""
    with answering(model, url, precision) as (client, name):
        answer = client.next(text, model=name, top=top)
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    click.echo("probability  logprob  char")
    for item in answer.data:
        shown = f"<{item.special}>" if item.special else repr(item.char)
        click.echo(f"{item.probability:11.6f} {item.logprob:8.3f}  {shown}")
    click.echo(f"entropy {answer.entropy_bits:.3f} bits")


@click.command
@_MODEL
@click.argument("prompt", default="", type=_TEXT)
@click.option(
    "--max-tokens",
    type=int,
    default=200,
    show_default=True,
    help="The largest number of characters to sample.",
)
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    help="How random the choice is; 0 always takes the most likely character.",
)
@click.option(
    "--top-k",
    type=int,
    default=0,
    show_default=True,
    help="Sample from the k most likely characters only; 0 is no limit.",
)
@click.option(
    "--top-p",
    type=float,
    default=1.0,
    show_default=True,
    help="Sample from the most likely characters whose probabilities add up to p.",
)
@click.option(
    "--min-p",
    type=float,
    default=0.0,
    show_default=True,
    help="Sample from characters at least p times as likely as the most likely one.",
)
@click.option(
    "--typical-p",
    type=float,
    default=1.0,
    show_default=True,
    help="Sample from the characters nearest to the mean log-probability that add up to p.",
)
@click.option("--seed", type=int, help="The seed; the same seed gives the same text.")
@click.option(
    "--stop", type=_TEXT, multiple=True, help="A string that ends the text; may be given up to 4 times."
)
@click.option("--echo", is_flag=True, help="Print the prompt before the text.")
@url_option
@_PRECISION
def complete(model: str, prompt: str, url: str | None, precision: str, **arguments: Any) -> None:
    """Continue PROMPT with sampled text, printed as it is sampled."""
    fields: Any = {**arguments, "stop": list(arguments["stop"])}
    with answering(model, url, precision) as (client, name):
        for piece in client.stream(prompt, model=name, **fields):
            for choice in piece.choices:
                click.echo(choice.text, nl=False)
    click.echo()


def _kept(strings: Iterable[str], kept: deque[str]) -> Iterator[str]:
    """Yields the strings and keeps each until its response is printed."""
    for text in strings:
        kept.append(text)
        yield text


def _standard_input() -> ByteSource:
    if sys.stdin.isatty():
        raise InvalidRequest("no strings to score: give them as arguments, or one per line on standard input")
    return cast(ByteSource, sys.stdin.buffer)


def _shown(file: ByteSource | None) -> str:
    """Returns the name of a file in an error; that of standard input is `<stdin>`, or it has none."""
    name = getattr(file, "name", "<stdin>")
    return _STANDARD_INPUT if name == "<stdin>" else repr(name)


def _lines(file: ByteSource, shown: str, encoding: str) -> Iterator[str]:
    return read_lines(file, shown=shown, advice="name its encoding with --encoding", encoding=encoding)


@contextmanager
def _located(shown: str) -> Generator[None]:
    """Adds the number of the line to an error of one of the strings of a file."""
    try:
        yield
    except NextcharError as error:
        if found := named_string(error):
            error.message = f"{shown}, line {int(found[1]) + 1}: {error.message}"
        raise
