"""`nextchar score`, `next` and `complete`: a model file and no server, through the same service."""

import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from nextchar.call import Call
from nextchar.completion_schemas import CompletionRequest
from nextchar.errors import InvalidRequest
from nextchar.offline import run_offline
from nextchar.repository import PrecisionChoice
from nextchar.schemas import validated
from nextchar.score_schemas import NextRequest, ScoreRequest
from nextchar.service import Service

_MODEL = click.argument("model", type=click.Path(path_type=Path))
_PRECISION = click.option(
    "--precision", type=click.Choice(["auto", "int8", "float32"]), default="auto", show_default=True
)
_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as the server would give it.")


@click.command
@_MODEL
@click.argument("texts", nargs=-1)
@click.option("--context", default="", help="Text before every string; not scored itself.")
@click.option("--include-end", is_flag=True, help="Also score the end symbol (models of lines).")
@click.option("--return-chars", is_flag=True, help="Also give every character's log-probability.")
@_PRECISION
@_JSON
def score(
    model: Path,
    texts: tuple[str, ...],
    context: str,
    include_end: bool,
    return_chars: bool,
    precision: PrecisionChoice,
    as_json: bool,
) -> None:
    """How likely MODEL finds each of TEXTS, or each line of standard input.

    MODEL is a step graph, a version's folder or a model's folder.
    """
    strings = list(texts) or _lines()

    async def work(service: Service, name: str, call: Call) -> None:
        request = validated(
            lambda: ScoreRequest(
                model=name, input=strings, context=context, include_end=include_end, return_chars=return_chars
            )
        )
        answer = await service.score(request, call)
        if as_json:
            click.echo(answer.model_dump_json(indent=2))
            return
        click.echo("   logprob  bits/char  percentile  chars  unknown  text")
        for item, text in zip(answer.data, strings, strict=True):
            rank = "" if item.percentile is None else f"{item.percentile:.1f}"
            counts = f"{rank:>11} {item.num_chars:6d} {item.num_unknown:8d}"
            click.echo(f"{item.logprob:10.3f} {item.bits_per_char:10.3f} {counts}  {text!r}")
            for char in item.chars or ():
                shown = f"<{char.special}>" if char.special else repr(char.char)
                click.echo(f"{char.logprob:10.3f}  {shown}")

    run_offline(model, precision, "score", work)


@click.command("next")
@_MODEL
@click.argument("text", default="")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True)
@_PRECISION
@_JSON
def next_chars(model: Path, text: str, top: int, precision: PrecisionChoice, as_json: bool) -> None:
    """What MODEL expects after TEXT: the likeliest next characters."""

    async def work(service: Service, name: str, call: Call) -> None:
        request = validated(lambda: NextRequest(model=name, input=text, top=top))
        answer = await service.next(request, call)
        if as_json:
            click.echo(answer.model_dump_json(indent=2))
            return
        click.echo("probability  logprob  char")
        for item in answer.data:
            shown = f"<{item.special}>" if item.special else repr(item.char)
            click.echo(f"{item.probability:11.6f} {item.logprob:8.3f}  {shown}")
        click.echo(f"entropy {answer.entropy_bits:.3f} bits")

    run_offline(model, precision, "next", work)


@click.command
@_MODEL
@click.argument("prompt", default="")
@click.option("--max-tokens", type=int, default=200, show_default=True, help="Most characters to sample.")
@click.option("--temperature", type=float, default=1.0, show_default=True)
@click.option("--top-k", type=int, default=0, show_default=True)
@click.option("--top-p", type=float, default=1.0, show_default=True)
@click.option("--min-p", type=float, default=0.0, show_default=True)
@click.option("--seed", type=int, help="Same seed, same text.")
@click.option("--stop", multiple=True, help="A string that ends the text; may be given up to 4 times.")
@click.option("--echo", is_flag=True, help="Print the prompt first.")
@_PRECISION
def complete(model: Path, prompt: str, precision: PrecisionChoice, **sampling: Any) -> None:
    """Go on with PROMPT, printed as it is sampled."""

    async def work(service: Service, name: str, call: Call) -> None:
        fields = {**sampling, "stop": list(sampling["stop"]), "model": name, "prompt": prompt, "stream": True}
        request = validated(lambda: CompletionRequest.model_validate(fields))
        async with aclosing(service.stream(request, call)) as pieces:
            async for piece in pieces:
                click.echo(piece.choices[0].text, nl=False)
        click.echo()

    run_offline(model, precision, "complete", work)


def _lines() -> list[str]:
    if sys.stdin.isatty():
        raise InvalidRequest("no strings: give them as arguments, or one a line on standard input")
    try:
        return [line.rstrip("\r\n") for line in sys.stdin]
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from error
