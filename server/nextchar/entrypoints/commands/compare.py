"""Implements `nextchar compare`, with a model file or with the models of a server."""

from typing import Any

import click

from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.entrypoints.commands.query_arguments import ADAPTIVE, JSON, MODEL, PRECISION, TEXT, learning
from nextchar.errors import InvalidRequest
from nextchar.schemas.compare import CompareResponse


@click.command
@MODEL
@click.argument("candidates", nargs=-1, required=True, type=TEXT)
@click.option("--context", type=TEXT, default="", help="The text before every candidate; it is not scored.")
@click.option("--include-end", is_flag=True, help="Also score the end symbol, which models of lines have.")
@click.option("--reference-model", help="A second model of the server, for the likelihood ratio; with --url.")
@click.option(
    "--rank-by",
    type=click.Choice(["logprob", "bits_per_char", "log_ratio"]),
    help="What makes a candidate the best; by default log_ratio with a second model and logprob without.",
)
@ADAPTIVE
@url_option
@PRECISION
@JSON
def compare(
    model: str,
    candidates: tuple[str, ...],
    reference_model: str | None,
    rank_by: Any,
    adaptive: bool,
    url: str | None,
    precision: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Rank CANDIDATES by how likely MODEL finds them, the likeliest first.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server. With --adaptive, the context is learned first, and each candidate is read after it,
    none after another.
    """
    if reference_model is not None and url is None:
        raise InvalidRequest("--reference-model names a second model of a server: give --url too")
    chosen = {"reference_model": reference_model, "rank_by": rank_by}
    arguments |= {name: value for name, value in chosen.items() if value is not None}
    with answering(model, url, precision) as (client, name):
        answer = client.compare(list(candidates), model=name, **arguments, **learning(adaptive))
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
    else:
        _print_table(answer, list(candidates), adaptive=adaptive)


def _print_table(answer: CompareResponse, candidates: list[str], *, adaptive: bool) -> None:
    has_ratio = answer.reference_model is not None
    click.echo(
        "rank    logprob"
        + "    network" * adaptive
        + "  bits/char  probability"
        + "  log ratio" * has_ratio
        + "  text"
    )
    for item in answer.data:
        own = f" {item.model_logprob:10.3f}" if adaptive else ""
        ratio = f" {item.log_ratio:10.3f}" if has_ratio else ""
        shares = f"{item.bits_per_char:10.3f} {item.probability:12.6f}"
        click.echo(f"{item.rank:4d} {item.logprob:10.3f}{own} {shares}{ratio}  {candidates[item.index]!r}")
