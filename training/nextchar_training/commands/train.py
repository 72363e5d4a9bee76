"""Defines `nextchar train`: trains a network on a text."""

import os
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import torch

from nextchar.errors import InvalidRequest, NextcharError
from nextchar_training.commands.command_line import given_options, recorded_command
from nextchar_training.commands.options import CELL_OF_FLAG, NGRAM, GroupedCommand, train_options
from nextchar_training.commands.origin import take_origin
from nextchar_training.commands.stop_signal import StopSignal
from nextchar_training.config import TrainingConfig, TrainingPrecision
from nextchar_training.measure.figures import describe_figure, describe_quality
from nextchar_training.network.cells.table import CELLS
from nextchar_training.option import option_fields, recorded_path
from nextchar_training.page.progress import Reporter
from nextchar_training.run.allocator import keep_freed_memory
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint
from nextchar_training.run.forecast import forecast, measure_step_s
from nextchar_training.run.ngram_run import FILE_NAME as NGRAM_FILE_NAME
from nextchar_training.run.ngram_run import train_ngram
from nextchar_training.run.precision import bf16_gain
from nextchar_training.run.processes import ProcessGroup, joined_group
from nextchar_training.run.run import HISTORY, Run
from nextchar_training.run.threads import usual_num_threads
from nextchar_training.text.config import TextConfig
from nextchar_training.text.named import NAMED

_DEFAULT_EPOCHS = 10.0
_NOT_CONFIG = {"output", "resume", "resume_or_start", "tensorboard", "order"}
_PER_START = _NOT_CONFIG | {"device"}  # what may change when a run is resumed
_PATHS = {field.name for field in option_fields(TrainingConfig) if field.option.is_path}
_FLAGS = {field.name: field.flag for field in option_fields(TrainingConfig)}
STDIN = "-"
_WORTH_BF16 = 1.3


@click.command(name="train", cls=GroupedCommand)
@train_options
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a character-level recurrent network on a text.

    Stop a run with Ctrl-C at any time; --resume continues it bit for bit where it stopped.
    """
    keep_freed_memory()
    try:
        device = _device(options)
        if options["cell"] == NGRAM:
            context.exit(_train_ngram(context, options))
        with joined_group(device) as group:
            start = _resume if _resumes(options) else _start
            run = start(context, options | {"device": device}, group)
            code = _train(run, tensorboard=options["tensorboard"])
    except (NextcharError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        code = 2
    context.exit(code)


def _resumes(options: dict[str, Any]) -> bool:
    checkpoint: Path = options["output"] / options["name"] / FILE_NAME
    return bool(options["resume"] or (options["resume_or_start"] and checkpoint.exists()))


def _start(context: click.Context, options: dict[str, Any], group: ProcessGroup) -> Run:
    if options["epochs"] is not None and options["steps"] is not None:
        raise click.UsageError("give one of --epochs and --steps, not both")
    if all(options[name] is None for name in ("epochs", "steps", "max_minutes")):
        options["epochs"] = _DEFAULT_EPOCHS
    directory = _prepare_text(options)
    origin = take_origin(options, given_options(context)) if options["from_model"] else None
    values = {name: value for name, value in options.items() if name not in _NOT_CONFIG}
    values["cell"] = CELL_OF_FLAG[options["cell"]]
    values["learning_rate"] = options["learning_rate"] or CELLS[values["cell"]].learning_rate
    values["precision"] = _precision(options["precision"], options["device"])
    values["num_threads"] = options["num_threads"] or usual_num_threads()
    command = _command(context, options | values)
    run = Run(directory, TrainingConfig(**values), command, group, origin=origin)
    directory.mkdir(parents=True, exist_ok=True)
    return run


def _prepare_text(options: dict[str, Any]) -> Path:
    """Validates and completes the options of the text; returns the folder of the new run."""
    if options["corpus"] is None:
        raise click.UsageError("Missing option '--corpus'.")
    if options["development_file"] and not options["heldout_file"]:
        raise click.UsageError("--development-file needs --heldout-file: give both")
    directory: Path = options["output"] / options["name"]
    if any((directory / name).exists() for name in (FILE_NAME, NGRAM_FILE_NAME)):
        raise click.UsageError(f"{directory} holds a run already: add --resume, or choose another --name")
    options["unit"] = _unit(options["unit"], options["corpus"])
    for name in sorted(_PATHS):
        if options[name] is not None:
            options[name] = _kept(options[name], directory, name)
    return directory


def _train_ngram(context: click.Context, options: dict[str, Any]) -> int:
    if options["from_model"]:
        raise click.UsageError("--from is for networks: an n-gram model counts its text anew, leave it out")
    directory = _prepare_text(options)
    values = {entry.name: options[entry.name] for entry in fields(TextConfig)}
    config, command = TextConfig(**values), _command(context, options | values)
    quality, page = train_ngram(directory, config, command, order=options["order"])
    for line in [*map(describe_figure, quality), f"report: {page}"]:
        print(line, file=sys.stderr)
    return 0


def _resume(context: click.Context, options: dict[str, Any], group: ProcessGroup) -> Run:
    run = Run.resume(options["output"] / options["name"], group, options["device"])
    recorded = run.config.to_dict()
    for name in given_options(context) - _PER_START:
        value = CELL_OF_FLAG[options[name]] if name == "cell" else options[name]
        if value not in (recorded[name], "auto"):
            flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
            raise click.UsageError(
                f"{flag} cannot change on --resume: the run has {recorded[name]} (given {options[name]})"
            )
    return run


def _train(run: Run, *, tensorboard: bool) -> int:
    trainer = run.trainer
    scalars = run.directory / "tensorboard" if tensorboard and run.group.is_leader else None
    with StopSignal() as stop, Reporter(run.directory / HISTORY, scalars=scalars) as reporter:
        if trainer.progress.step_count == 0 and run.config.from_model and run.development is not None:
            reporter.say(f"before the first step: development {run.measure_start():.4f}")
        if not run.ended:
            step_s = measure_step_s(trainer)
            if run.group.is_leader:
                reporter.say(forecast(trainer, step_s))
        ended = run.train(reporter, lambda: stop.number is not None)
        quality = run.finish() if ended else []
        if run.group.is_leader:
            for line in describe_quality(quality) if ended else []:
                reporter.say(line)
            reporter.say(f"report: {run.write_report()}")
        if not ended:
            reporter.say(f"stopped; continue with: nextchar train --name {run.config.name} --resume")
    return 0 if ended else 128 + (stop.number or 0)


def _unit(choice: str, corpus: str) -> str:
    named = NAMED.get(corpus)
    return choice if choice != "auto" else named.unit if named else "text"


def _kept(path: str, directory: Path, name: str) -> str:
    """Saves what can be read only once with the run, which reads it again when it is resumed or exported."""
    if path != STDIN and (path in NAMED or not Path(path).exists() or _can_be_read_again(Path(path))):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / f"{name}.txt"
    with kept.open("wb") as file:
        if path == STDIN:
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with open(path, "rb") as source:
                shutil.copyfileobj(source, file)
    return str(kept)


def _can_be_read_again(path: Path) -> bool:
    return path.is_dir() or path.is_file()


def _device(options: dict[str, Any]) -> str:
    """Returns the device: `cuda` is this process's own where torchrun started several, `auto` is that of the
    run that is resumed."""
    choice = options["device"]
    if choice == "auto" and _resumes(options):
        saved = load_checkpoint(options["output"] / options["name"] / FILE_NAME)
        choice = saved["config"]["device"].partition(":")[0]
    if choice == "cpu" or (choice == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise InvalidRequest("device must be cpu here (is cuda): torch finds no CUDA device", param="device")
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _precision(choice: str, device: str) -> TrainingPrecision:
    """Returns the precision; auto is bf16 where its products are clearly faster and torch has its layers."""
    if choice == "auto":
        return "bf16" if device == "cpu" and bf16_gain() > _WORTH_BF16 else "float32"
    return "bf16" if choice == "bf16" else "float32"


def _command(context: click.Context, values: dict[str, Any]) -> str:
    """Returns the command line that makes this run again, without any path of this machine.

    It has what was given, and what the command chose by itself, which may be chosen otherwise elsewhere.
    """
    given = given_options(context) - _NOT_CONFIG | {"order"} & given_options(context)
    chosen = {field.name for field in option_fields(TrainingConfig) if field.option.automatic} | {"epochs"}
    shown: dict[str, str] = {}
    for name, at_call in context.params.items():
        value = at_call if name in _PATHS or name == "cell" else values.get(name)
        if value is not None and name in given | chosen:
            flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
            shown[flag] = recorded_path(value) if name in _PATHS else _shown(name, value)
    return recorded_command(["nextchar", "train"], shown)


def _shown(name: str, value: Any) -> str:
    """Returns a value as its flag takes it."""
    if name == "device":
        return str(value).partition(":")[0]
    return "full" if name == "window" and value == 0 else str(value)


if __name__ == "__main__":
    train()
