"""Implements `nextchar score`, with a model file or with the model of a server."""

from typing import IO, TYPE_CHECKING, Any, cast

import click
import numpy as np

from nextchar.batch.scores import ScoreAnnotator
from nextchar.client.parts import join_scores
from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.entrypoints.commands.given_strings import GivenStrings, given_file, string_options
from nextchar.entrypoints.commands.query_arguments import ADAPTIVE, JSON, MODEL, PRECISION, TEXT, learning
from nextchar.entrypoints.commands.table_options import (
    TableArguments,
    annotate_file,
    table_options,
)
from nextchar.errors import InvalidRequest
from nextchar.model.surprise.guess_numbers import GuessNumbers
from nextchar.schemas.score import Score

if TYPE_CHECKING:
    from nextchar.entrypoints.library.model import Model


@click.command
@MODEL
@string_options("Score")
@click.option("--context", type=TEXT, default="", help="The text before every string; it is not scored.")
@click.option("--include-end", is_flag=True, help="Also score the end symbol, which models of lines have.")
@click.option("--return-chars", is_flag=True, help="Also print the log-probability of every character.")
@ADAPTIVE
@click.option(
    "--guesses",
    is_flag=True,
    help="Also estimate how many guesses each string withstands from one who guesses the model's likeliest "
    "strings first, as log10; it counts the end symbol.",
)
@url_option
@PRECISION
@JSON
@table_options
def score(
    model: str,
    texts: tuple[str, ...],
    file: IO[bytes] | None,
    encoding: str,
    adaptive: bool,
    guesses: bool,
    url: str | None,
    precision: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Score how likely MODEL finds each of TEXTS, or each row of a file or of standard input.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server. Lines end in LF, CRLF or CR. The scores of strings and of lines are printed; those of
    a table, and with --output, are written as columns beside the row's own. With --adaptive, the lines of a
    file are one text: each is scored after those before it, with its newline.
    """
    tables = TableArguments.taken_from(arguments)
    if guesses:
        _check_guesses(adaptive=adaptive, url=url, context=arguments["context"], as_json=as_json)
        arguments["include_end"] = True
    file = given_file(texts, file, "score")
    if file is None:
        tables.check_no_file()
    elif tables.is_table(file):
        if as_json or adaptive or arguments["return_chars"]:
            raise InvalidRequest(
                "--json, --adaptive and --return-chars are for scores that are printed, not for a table"
            )
        given_arguments = arguments["context"], arguments["include_end"], guesses
        asked = ScoreAnnotator(model, url, precision, None, *given_arguments)
        annotate_file(asked, file, tables, encoding)
        return
    tables.check_unused()
    arguments |= learning(adaptive)
    given = GivenStrings(texts, file, encoding)
    with given.located(), answering(model, url, precision) as (client, name):
        in_lines = file is not None and adaptive and client.tokenizer_info(model=name).unit != "line"
        strings = (f"{line}\n" for line in given) if in_lines else given
        answers = client.score_batches(strings, model=name, **arguments)
        if as_json:
            click.echo(join_scores(list(answers)).model_dump_json(indent=2))
            return
        numbers = cast("Model", client).guess_numbers() if guesses else None
        own = " network" * ("adaptive" in arguments)
        added = "  guesses (log10)" * guesses
        click.echo(f"   logprob  bits/char{own}  percentile   p-value  chars  unknown{added}  text")
        for answer in answers:
            for item in answer.data:
                _print_score(item, given.answered(), numbers)


def _check_guesses(*, adaptive: bool, url: str | None, context: str, as_json: bool) -> None:
    """Checks that guess numbers can be told: they are of the model alone, sampled in this process.

    Raises:
        InvalidRequest: an option does not go with --guesses.
    """
    if url is not None:
        raise InvalidRequest("--guesses samples the model in this process: give a model file, not --url")
    if as_json:
        raise InvalidRequest(
            "--json prints what a server answers, without guess numbers: use --output x.jsonl"
        )
    if adaptive or context:
        raise InvalidRequest("--guesses is of strings that stand alone: leave out --adaptive and --context")


def _print_score(item: Score, text: str, numbers: GuessNumbers | None) -> None:
    rank = "" if item.percentile is None else f"{item.percentile:.1f}"
    share = "" if item.p_value is None else f"{item.p_value:.2g}"
    own = "" if item.model_logprob is None else f" {_bits(item, item.model_logprob):7.3f}"
    counts = f"{rank:>11} {share:>9} {item.num_chars:6d} {item.num_unknown:8d}"
    guesses = "" if numbers is None else f" {numbers.log10_of(np.array([item.logprob]))[0]:16.1f}"
    click.echo(f"{item.logprob:10.3f} {item.bits_per_char:10.3f}{own} {counts}{guesses}  {text!r}")
    for char in item.chars or ():
        shown = f"<{char.special}>" if char.special else repr(char.char)
        click.echo(f"{char.logprob:10.3f}  {shown}")


def _bits(item: Score, logprob: float) -> float:
    """Returns another log-probability of a string in bits per symbol, as its `bits_per_char`."""
    return item.bits_per_char * logprob / item.logprob if item.logprob else 0.0
