"""The options of `nextchar train`, in the order of its help."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

CELLS = {
    "rnn": "rnn_tanh",
    "relu": "rnn_relu",
    "lstm": "lstm",
    "lstm-coupled": "lstm_coupled",
    "gru": "gru",
}
NGRAM = "ngram"
_POSITIVE = click.FloatRange(0, min_open=True)
_RATE = click.FloatRange(0, 0.9)
_SHARE = click.FloatRange(0, 0.5)


class Window(click.ParamType[int]):
    """Characters a step, or `full`: all of each stream."""

    name = "N|full"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in ("full", 0):
            return 0
        if not str(value).isdecimal() or int(value) < 2:
            self.fail(f"{value!r} is neither a number from 2 nor 'full'", param, ctx)
        return int(value)


def _check_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise click.BadParameter("letters, digits, '.', '_' and '-' only", context, parameter)
    return value


def _number(name: str, kind: click.ParamType[Any], default: float | None, text: str) -> Callable[..., Any]:
    return click.option(f"--{name}", type=kind, default=default, show_default=default is not None, help=text)


def _choice(name: str, choices: list[str], text: str) -> Callable[..., Any]:
    return click.option(
        f"--{name}", type=click.Choice(choices), default=choices[0], show_default=True, help=text
    )


_RUN = [
    click.option("--corpus", metavar="NAME|PATH", help="A named corpus, a file, a folder, or - for stdin."),
    click.option("--pattern", default="*", show_default=True, help="Which files of a folder."),
    click.option("--name", required=True, callback=_check_name, help="The run's folder under --output."),
    click.option("--resume", is_flag=True, help="Go on with the run of this name where it was stopped."),
    click.option("--resume-or-start", is_flag=True, help="Go on with it where there is one, else start it."),
    click.option("--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True),
    click.option(
        "--tensorboard", is_flag=True, help="Also write scalars for TensorBoard into the run's folder."
    ),
    _number("seed", click.IntRange(0), 0, "Of weights, dropout and the order of the text."),
]
_TEXT = [
    _choice("unit", ["auto", "text", "line"], "Running text, or a string a line; auto: as named, or text."),
    _choice("symbols", ["characters", "bytes"], "What is predicted, one at a time."),
    _choice("layout", ["plain", "spaced"], "spaced: a space after every character, _ for a space."),
    _number("min-count", click.IntRange(1), 5, "Rarer characters are unknown."),
    _choice("unknown", ["symbol", "refuse"], "Unknown characters are one symbol, or an error."),
    _choice("normalization", ["none", "NFC"], "Unicode form."),
    _choice("split", ["position", "document"], "Held out: the end of the text, or whole documents."),
    _number("heldout", _POSITIVE, 0.1, "Share of the text that is kept out; from 1: characters, lines."),
    _number(
        "development", click.FloatRange(0), 0.05, "Of the rest, to choose weights by; 0: the last count."
    ),
    click.option("--heldout-file", metavar="PATH", help="A text to keep out, in place of a share."),
    click.option(
        "--development-file", metavar="PATH", help="A text to choose weights by; with a held-out one."
    ),
]
_NETWORK = [
    click.option("--cell", type=click.Choice([*CELLS, NGRAM]), default="lstm", show_default=True),
    _number("order", click.IntRange(1, 12), 7, "Of --cell ngram, which needs the options of the text only."),
    _number("hidden-size", click.IntRange(1), 512, "Units a layer."),
    _number("num-layers", click.IntRange(1), 2, "Recurrent layers."),
    _number("embedding-size", click.IntRange(0), 128, "Numbers a character; 0: one-hot."),
]
_REGULARISATION = [
    _number("dropout", _RATE, 0.2, "One knob: between layers and after the last; the others follow it."),
    _number("input-dropout", _RATE, None, "Of embeddings, one mask a window; a quarter of --dropout."),
    _number("layer-dropout", _RATE, None, "Between layers, one mask a window; --dropout."),
    _number("output-dropout", _RATE, None, "After the last layer, one mask a window; --dropout."),
    _number("weight-dropout", _RATE, None, "Of recurrent weights (weight-drop); half of --dropout."),
    _number("input-noise", _RATE, 0.0, "Share of characters read as another."),
    _number("weight-decay", click.FloatRange(0), 0.01, "Decoupled for AdamW."),
    _number(
        "average-decay", click.FloatRange(0, 1, max_open=True), 0.999, "Of the weights' average; 0: none."
    ),
    _number("softmax-temperature", _POSITIVE, None, "Built into the output layer; fitted if not given."),
]
_LENGTH = [
    _number("epochs", _POSITIVE, None, "Length: times over the text."),
    _number("steps", click.IntRange(1), None, "Length: updates."),
    _number("max-minutes", _POSITIVE, None, "Length: minutes, or at most so many."),
    _number("patience", click.IntRange(0), 0, "End after so many evaluations without progress; 0: never."),
    _number("evaluations", click.IntRange(1), 20, "Of the development part, over the whole run."),
]
_OPTIMISATION = [
    _number("batch-size", click.IntRange(1), 32, "Streams side by side."),
    _number("window", Window(), 128, "Characters a gradient goes back; full: to the stream's start."),
    _choice("optimizer", ["adamw", "sgd"], ""),
    _number("learning-rate", _POSITIVE, None, "At its peak; 0.003, of a GRU 0.0015."),
    _number("momentum", click.FloatRange(0, 1, max_open=True), 0.9, "Of sgd."),
    _choice("schedule", ["cosine", "linear", "constant"], "After the warm-up."),
    _number("warmup", _SHARE, 0.02, "Share of the run."),
    _number("clip-norm", click.FloatRange(0), 1.0, "Global norm of a gradient; 0: any."),
    _number("clip-value", click.FloatRange(0), 0.0, "Every element of a gradient; 0: any."),
]
_MACHINE = [
    _choice("precision", ["auto", "bf16", "float32"], "bf16 where the processor multiplies it."),
    _choice("device", ["auto", "cpu", "cuda"], "cuda where there is one."),
    _number("num-threads", click.IntRange(1), None, "Processor threads; all by default."),
]


def train_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all of them to a command."""
    groups = (_RUN, _TEXT, _NETWORK, _REGULARISATION, _LENGTH, _OPTIMISATION, _MACHINE)
    for option in reversed([option for group in groups for option in group]):
        command = option(command)
    return command
