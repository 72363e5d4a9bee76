"""Defines `nextchar import`: serves a network that another program trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nextchar.model.names import is_model_name
from nextchar_training.commands.command_line import given_options, recorded_command
from nextchar_training.commands.options import CELL_OF_FLAG
from nextchar_training.commands.written_model import written_model_options
from nextchar_training.foreign.comparison import Comparison
from nextchar_training.foreign.importer import Hints, Imported, import_file
from nextchar_training.foreign.symbols import Roles
from nextchar_training.measure.figures import describe_quality
from nextchar_training.option import recorded_path

F = TypeVar("F", bound=Callable[..., Any])

_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\0": "\0"}
_WRITTEN = {character: escape for escape, character in _ESCAPES.items()}
# No other program has the coupled LSTM.
_CELLS = {flag: cell for flag, cell in CELL_OF_FLAG.items() if cell != "lstm_coupled"}
# The file is recorded as an argument; a folder and a number are of this machine.
_NOT_RECORDED = {"file", "models", "version"}


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
    type=click.Choice([*_CELLS]),
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
@click.pass_context
def import_model(context: click.Context, /, file: Path, name: str | None, **options: Any) -> None:
    """Write the network in FILE as a version of a model.

    FILE is a PyTorch state dict of embedding, RNN, LSTM or GRU, and linear layer in any naming, a Keras model
    (.keras or .h5), or an ONNX file with the standard recurrent operators.
    """
    roles = Roles(options["begin"], options["end"], options["unknown"], options["pad"])
    cell = _CELLS[options["cell"]] if options["cell"] else None
    imported = import_file(
        file,
        options["symbols"],
        name=name or _name_of(file),
        models=options["models"],
        hints=Hints(roles, cell, dict(options["tensors"])),
        text=options["text"],
        version=options["version"],
        command=_command(context),
    )
    for line in _describe(imported, measured=options["text"] is not None):
        click.echo(line)


def _name_of(file: Path) -> str:
    if not is_model_name(file.stem):
        raise click.UsageError(
            "give --name: a model's name must be 1 to 128 characters of A-Z a-z 0-9 . _ - and not begin with "
            f"a dot (the file's is {recorded_path(file.stem)[:100]!r})"
        )
    return file.stem


def _command(context: click.Context) -> str:
    """Returns the command line that imports this network again, from a folder that has its files."""
    shown: dict[str, str | list[str]] = {}
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        if name not in given_options(context) - _NOT_RECORDED:
            continue
        if name == "tensors":
            shown["--tensor"] = [f"{role}={tensor}" for role, tensor in context.params[name]]
        elif name in ("symbols", "text"):
            shown[f"--{name}"] = recorded_path(str(value))
        else:
            shown[f"--{name}"] = _WRITTEN.get(str(value), str(value))
    return recorded_command(["nextchar", "import", recorded_path(str(context.params["file"]))], shown)


def _describe(imported: Imported, *, measured: bool) -> list[str]:
    exported, vocabulary = imported.exported, imported.vocabulary
    unit = "lines" if vocabulary.unit == "line" else "running text"
    lines = [f"wrote {imported.folder}: {len(vocabulary.characters)} characters, a model of {unit}"]
    lines += [f"  {name:18} {len(content):>12,} bytes" for name, content in exported.files.items()]
    lines += [f"took {name} for {role}" for name, role in imported.taken.items()]
    lines.append(_compared(imported.comparison))
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


def _compared(comparison: Comparison) -> str:
    if comparison.difference is None:
        return (
            "not compared with the original, which cannot be run from this file; from Python, import_module "
            "compares a PyTorch module"
        )
    return (
        f"differs from the original by {comparison.difference:.1e} nats in a character, at most "
        f"({comparison.num_chars:,} characters)"
    )
