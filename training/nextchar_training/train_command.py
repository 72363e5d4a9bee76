"""`nextchar train`: from a text to a trained network."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import torch
from click.core import ParameterSource

from nextchar.errors import NextcharError
from nextchar_training.checkpoint import FILE_NAME
from nextchar_training.forecast import forecast, measure_step_s
from nextchar_training.progress import Reporter
from nextchar_training.report import describe_quality
from nextchar_training.run import Run
from nextchar_training.stop_signal import StopSignal
from nextchar_training.training_config import TrainingConfig, TrainingPrecision

CELLS = {"rnn": "rnn_tanh", "relu": "rnn_relu", "lstm": "lstm", "gru": "gru"}
_DEFAULT_EPOCHS = 10.0
_NOT_CONFIG = {"output", "resume"}


def _check_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise click.BadParameter("letters, digits, '.', '_' and '-' only", context, parameter)
    return value


@click.command(name="train")
@click.option("--corpus", metavar="NAME|FILE", help="A named corpus (shakespeare) or a UTF-8 text file.")
@click.option(
    "--name", required=True, callback=_check_name, help="The run's name: its folder under --output."
)
@click.option("--cell", type=click.Choice(list(CELLS)), default="lstm", show_default=True)
@click.option("--hidden-size", type=click.IntRange(1), default=512, show_default=True)
@click.option("--num-layers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--embedding-size", type=click.IntRange(1), default=128, show_default=True)
@click.option("--dropout", type=click.FloatRange(0, 0.9), default=0.2, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--window", type=click.IntRange(2), default=128, show_default=True, help="Characters a step.")
@click.option("--epochs", type=click.FloatRange(0, min_open=True), help="Length: times over the text.")
@click.option("--steps", type=click.IntRange(1), help="Length: updates.")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Length: minutes of training.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=3e-3, show_default=True)
@click.option("--weight-decay", type=click.FloatRange(0), default=0.01, show_default=True)
@click.option("--clip-norm", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--unit", type=click.Choice(["text", "line"]), default="text", show_default=True)
@click.option("--min-count", type=click.IntRange(1), default=5, show_default=True)
@click.option("--unknown", type=click.Choice(["symbol", "refuse"]), default="symbol", show_default=True)
@click.option("--normalization", type=click.Choice(["none", "NFC"]), default="none", show_default=True)
@click.option("--heldout", type=click.FloatRange(0, 0.5, min_open=True), default=0.1, show_default=True)
@click.option(
    "--precision", type=click.Choice(["auto", "bf16", "float32"]), default="auto", show_default=True
)
@click.option("--num-threads", type=click.IntRange(1), help="Processor threads; all by default.")
@click.option("--evaluations", type=click.IntRange(1), default=20, show_default=True)
@click.option("--resume", is_flag=True, help="Go on with the run of this name where it was stopped.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a character-level recurrent network on a text.

    Stop it with Ctrl-C at any time; --resume goes on bit for bit where it stopped.
    """
    try:
        run = _resume(context, options) if options["resume"] else _start(context, options)
        code = _train(run)
    except (NextcharError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        code = 2
    context.exit(code)


def _start(context: click.Context, options: dict[str, Any]) -> Run:
    if options["corpus"] is None:
        raise click.UsageError("Missing option '--corpus'.")
    lengths = [name for name in ("epochs", "steps", "max_minutes") if options[name] is not None]
    if len(lengths) > 1:
        raise click.UsageError("give one of --epochs, --steps and --max-minutes")
    if not lengths:
        options["epochs"] = _DEFAULT_EPOCHS
    directory = options["output"] / options["name"]
    if (directory / FILE_NAME).exists():
        raise click.UsageError(f"{directory} holds a run already: add --resume, or choose another --name")
    values = {name: value for name, value in options.items() if name not in _NOT_CONFIG}
    values["cell"] = CELLS[options["cell"]]
    values["precision"] = _precision(options["precision"])
    values["num_threads"] = options["num_threads"] or len(os.sched_getaffinity(0))
    run = Run(directory, TrainingConfig(**values), _command(context))
    directory.mkdir(parents=True, exist_ok=True)
    return run


def _resume(context: click.Context, options: dict[str, Any]) -> Run:
    run = Run.resume(options["output"] / options["name"])
    recorded = run.config.to_dict()
    for name in _given(context) - _NOT_CONFIG:
        value = CELLS[options[name]] if name == "cell" else options[name]
        if value not in (recorded[name], "auto"):
            flag = "--" + name.replace("_", "-")
            raise click.UsageError(f"{flag} cannot change on --resume: the run has {recorded[name]}")
    return run


def _train(run: Run) -> int:
    trainer = run.trainer
    with StopSignal() as stop, Reporter(run.directory / "history.jsonl") as reporter:
        if trainer.fraction < 1:
            reporter.say(forecast(trainer, measure_step_s(trainer)))
        if not run.train(reporter, lambda: stop.number is not None):
            reporter.say(f"stopped; go on with: nextchar train --name {run.config.name} --resume")
            assert stop.number is not None
            return 128 + stop.number
        for line in describe_quality(run.finish()):
            reporter.say(line)
    return 0


def _precision(choice: str) -> TrainingPrecision:
    if choice == "auto":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if fast else "float32"
    return "bf16" if choice == "bf16" else "float32"


def _given(context: click.Context) -> set[str]:
    """The options that are on the command line."""
    return {
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _command(context: click.Context) -> str:
    """The command line that makes this run again, without any path of this machine."""
    words = ["nextchar", "train"]
    given = _given(context) - _NOT_CONFIG
    for name, value in context.params.items():
        if name in given:
            words += ["--" + name.replace("_", "-"), Path(value).name if name == "corpus" else str(value)]
    return shlex.join(words)


if __name__ == "__main__":
    train()
