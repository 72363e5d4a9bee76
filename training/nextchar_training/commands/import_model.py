"""Defines `nextchar import`: serves a network that another program trained."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nextchar_training.commands.options import CELL_OF_FLAG, ModelName
from nextchar_training.commands.written_model import written_model_options
from nextchar_training.foreign.importer import Imported, Told, import_file
from nextchar_training.foreign.symbols import Roles
from nextchar_training.measure.figures import describe_quality
from nextchar_training.option import recorded_path

F = TypeVar("F", bound=Callable[..., Any])

_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\0": "\0"}


class TensorRole(click.ParamType[tuple[str, str]]):
    """Reads ROLE=NAME."""

    name = "role=name"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        role, equals, name = value.partition("=")
        if not equals:
            self.fail(f"must be ROLE=NAME, as in embedding=encoder.weight (is {value!r})", param, ctx)
        return role, name


def _symbol(flag: str, what: str) -> Callable[[F], F]:
    return click.option(flag, metavar="SYMBOL", help=what, callback=_unescaped)


def _unescaped(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Returns a symbol whose newline, tab, carriage return or zero may be written as an escape."""
    return None if value is None else _ESCAPES.get(value, value)


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--symbols",
    type=click.Path(path_type=Path),
    required=True,
    help="A JSON file that says which symbol each id is: an object, a list or a string.",
)
@_symbol("--begin", "The symbol before a string's first character; by default <s>, the end, or a newline.")
@_symbol("--end", "The symbol at a string's end, for a model of lines; by default </s>, if there is one.")
@_symbol("--unknown", "The symbol of unknown characters; by default <unk>, if it exists.")
@_symbol("--pad", "The symbol that fills up batches and is left out; by default <pad>, if it exists.")
@click.option(
    "--cell",
    type=click.Choice([*CELL_OF_FLAG]),
    help="The recurrent cell, where the weights do not say: rnn or relu, gru or gru-reset-first.",
)
@click.option(
    "--tensor",
    "tensors",
    type=TensorRole(),
    multiple=True,
    help="What a tensor is, where its name and shape do not say: embedding, output, output_bias, start, or "
    "input_N, recurrent_N, input_bias_N, recurrent_bias_N of layer N.",
)
@click.option(
    "--text",
    metavar="NAME|PATH",
    help="A text that the network was not trained on, to measure it by; else it writes one itself.",
)
@written_model_options("the file")
def import_model(
    file: Path,
    symbols: Path,
    begin: str | None,
    end: str | None,
    unknown: str | None,
    pad: str | None,
    cell: str | None,
    tensors: tuple[tuple[str, str], ...],
    text: str | None,
    name: str | None,
    models: Path,
    version: int | None,
) -> None:
    """Write the network in FILE as a version of a model.

    FILE is a PyTorch state dict of embedding, RNN, LSTM or GRU, and linear layer in any naming, a Keras model
    (.keras or .h5), or an ONNX file with the standard recurrent operators.
    """
    told = Told(Roles(begin, end, unknown, pad), CELL_OF_FLAG[cell] if cell else None, dict(tensors))
    name = name or ModelName().convert(file.stem, None, None)
    words = ["nextchar", "import", recorded_path(str(file)), "--symbols", recorded_path(str(symbols))]
    imported = import_file(
        file,
        symbols,
        name=name,
        models=models,
        told=told,
        text=text,
        version=version,
        command=shlex.join(words),
    )
    for line in _describe(imported, measured=text is not None):
        click.echo(line)


def _describe(imported: Imported, *, measured: bool) -> list[str]:
    exported, vocabulary = imported.exported, imported.vocabulary
    unit = "lines" if vocabulary.unit == "line" else "running text"
    lines = [f"wrote {imported.folder}: {len(vocabulary.characters)} characters, a model of {unit}"]
    lines += [f"  {name:18} {len(content):>12,} bytes" for name, content in exported.files.items()]
    left_out = imported.comparison.left_out
    if left_out > 0:
        lines.append(f"symbols that are left out had a probability of {left_out:.1e} on average")
    if exported.int8 is not None:
        nats = exported.int8.nats_per_char - exported.float32.nats_per_char
        source = "held-out" if measured else "of its own"
        lines.append(
            f"int8 costs {nats:+.5f} nats per character ({exported.int8.num_chars:,} characters {source})"
        )
    return lines + (describe_quality([exported.float32]) if measured else [])
