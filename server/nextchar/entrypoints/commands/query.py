"""Implements `nextchar next` and `complete`, with a model file or with the model of a server."""

from typing import Any

import click

from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.entrypoints.commands.query_arguments import ADAPTIVE, JSON, MODEL, PRECISION, TEXT, learning


@click.command("next")
@MODEL
@click.argument("text", default="", type=TEXT)
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many characters to list."
)
@ADAPTIVE
@url_option
@PRECISION
@JSON
def next_chars(
    model: str, text: str, top: int, adaptive: bool, url: str | None, precision: str, as_json: bool
) -> None:
    """List the characters that MODEL finds most likely after TEXT.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server.
    """
    with answering(model, url, precision) as (client, name):
        answer = client.next(text, model=name, top=top, **learning(adaptive))
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    click.echo("probability  logprob" + "  network" * adaptive + "  char")
    for item in answer.data:
        shown = f"<{item.special}>" if item.special else repr(item.char)
        own = "" if item.model_logprob is None else f" {item.model_logprob:8.3f}"
        click.echo(f"{item.probability:11.6f} {item.logprob:8.3f}{own}  {shown}")
    click.echo(f"entropy {answer.entropy_bits:.3f} bits")


@click.command
@MODEL
@click.argument("prompt", default="", type=TEXT)
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
    "--stop", type=TEXT, multiple=True, help="A string that ends the text; may be given up to 4 times."
)
@click.option("--echo", is_flag=True, help="Print the prompt before the text.")
@ADAPTIVE
@url_option
@PRECISION
def complete(
    model: str, prompt: str, adaptive: bool, url: str | None, precision: str, **arguments: Any
) -> None:
    """Continue PROMPT with sampled text, printed as it is sampled.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server.
    """
    fields: Any = {**arguments, "stop": list(arguments["stop"]), **learning(adaptive)}
    with answering(model, url, precision) as (client, name):
        for piece in client.stream(prompt, model=name, **fields):
            for choice in piece.choices:
                click.echo(choice.text, nl=False)
    click.echo()
