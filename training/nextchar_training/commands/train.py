"""Defines `nextchar train`: trains a network on a text."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import torch

from nextchar.errors import InvalidRequest, ModelFileError, NextcharError
from nextchar_training.commands.command_line import given_options, recorded_command
from nextchar_training.commands.export import version_of_run, write_run
from nextchar_training.commands.options import (
    CELL_OF_FLAG,
    DEFAULT_MODELS,
    DEFAULT_OUTPUT,
    NGRAM,
    GroupedCommand,
    train_options,
)
from nextchar_training.commands.origin import take_origin
from nextchar_training.commands.recipe import complete
from nextchar_training.commands.run_text import (
    RunText,
    new_directory,
    prepare_text,
    removed_on_failure,
    run_name,
)
from nextchar_training.commands.stop_signal import StopSignal
from nextchar_training.config import TrainingConfig, TrainingPrecision
from nextchar_training.measure.figures import describe_figure, describe_quality
from nextchar_training.option import option_fields, recorded_path
from nextchar_training.page.progress import Reporter
from nextchar_training.run.allocator import keep_freed_memory
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint, load_trained
from nextchar_training.run.forecast import forecast, measure_step_s
from nextchar_training.run.ngram_run import train_ngram
from nextchar_training.run.precision import bf16_gain
from nextchar_training.run.processes import ProcessGroup, joined_group
from nextchar_training.run.run import HISTORY, Run
from nextchar_training.run.threads import usual_num_threads
from nextchar_training.text.config import TextConfig
from nextchar_training.text.split import checked

_NOT_CONFIG = {"text", "output", "resume", "resume_or_start", "tensorboard", "order", "models", "no_export"}
_OF_NGRAM = {entry.name for entry in option_fields(TextConfig)} | {"name", "order"}
_PER_START = _NOT_CONFIG | {"device"}  # what may change when a run is resumed
_PATHS = {field.name for field in option_fields(TrainingConfig) if field.option.is_path}
_FLAGS = {field.name: field.flag for field in option_fields(TrainingConfig)}
_CHOSEN = {entry.name for entry in option_fields(TrainingConfig) if entry.option.automatic}
_CHOSEN |= {"corpus", "name", "cell", "epochs"}
_WORTH_BF16 = 1.3


@click.command(name="train", cls=GroupedCommand)
@train_options
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a network on TEXT: a file, a folder, a named corpus, or - for standard input.

    All that is not given is chosen by the text. A run that has ended is a model that `nextchar serve` finds.
    Stop a run with Ctrl-C at any time; --resume continues it bit for bit where it stopped.
    """
    keep_freed_memory()
    try:
        _named(context, options)
        if options["cell"] == NGRAM:
            context.exit(_train_ngram(context, options))
        if not options["no_export"]:
            _check_writable(options["models"])
        device = _device(options)
        with joined_group(device) as group:
            start = _resume if _resumes(options) else _start
            run = start(context, options | {"device": device}, group)
            code = _train(run, options)
    except (NextcharError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        code = 2
    context.exit(code)


def _named(context: click.Context, options: dict[str, Any]) -> None:
    """Sets the text from the argument, and the name of the run from the text where it is not given."""
    text = options.pop("text")
    if text is not None and options["corpus"] is not None:
        raise click.UsageError(f"give one text, not both {text!r} and --corpus {options['corpus']!r}")
    options["corpus"] = text if options["corpus"] is None else options["corpus"]
    if options["name"] is None and options["corpus"] is None:
        raise click.UsageError(f"which text? {context.command_path} FILE, or --resume with the run's --name")
    options["name"] = options["name"] or run_name(options["corpus"])


def _check_writable(models: Path) -> None:
    """Refuses a folder of models that no version can be written into, before the time is spent."""
    existing = next(folder for folder in (models, *models.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise click.UsageError(
            f"--models must be a folder that can be written into (is {str(models)!r}): choose another one, "
            "or give --no-export"
        )


def _resumes(options: dict[str, Any]) -> bool:
    checkpoint: Path = options["output"] / options["name"] / FILE_NAME
    return bool(options["resume"] or (options["resume_or_start"] and checkpoint.exists()))


def _start(context: click.Context, options: dict[str, Any], group: ProcessGroup) -> Run:
    if options["epochs"] is not None and options["steps"] is not None:
        raise click.UsageError("give one of --epochs and --steps, not both")
    directory = new_directory(options)
    with removed_on_failure(directory):
        origin = take_origin(options, given_options(context)) if options["from_model"] else None
        text = prepare_text(options, directory)
        values = _values(options, text)
        checked(text.split, text.corpus.name, values["window"], development=0)
        if group.is_leader:
            _say(text.found, context, values)
        command, config = _command(context, values), TrainingConfig(**values)
        run = Run(directory, config, command, group, origin=origin, text=(text.corpus, text.split))
        directory.mkdir(parents=True, exist_ok=True)
    return run


def _values(options: dict[str, Any], text: RunText) -> dict[str, Any]:
    """Returns the options of a run, with all that is chosen by the text or by this machine."""
    values = {name: value for name, value in options.items() if name not in _NOT_CONFIG}
    values["cell"] = CELL_OF_FLAG[options["cell"]]
    values["precision"] = _precision(options["precision"], options["device"])
    values["num_threads"] = options["num_threads"] or usual_num_threads()
    return complete(values, text.size, values["cell"])


def _say(found: list[str], context: click.Context, values: dict[str, Any]) -> None:
    """Says what was found in the text, and the command that the given one stands for, with all it chose."""
    for line in [*found, f"the same as: {_command(context, values, whole_paths=True)}"]:
        print(line, file=sys.stderr, flush=True)


def _train_ngram(context: click.Context, options: dict[str, Any]) -> int:
    if options["from_model"]:
        raise click.UsageError("--from is for networks: an n-gram model counts its text anew, leave it out")
    if options["resume"]:
        raise click.UsageError("--resume is for networks: an n-gram model is counted at once, leave it out")
    directory = new_directory(options)
    with removed_on_failure(directory):
        text = prepare_text(options, directory)
        values = {name: value for name, value in options.items() if name in _OF_NGRAM}
        _say(text.found, context, values)
        command = _command(context, values)
        quality, page = train_ngram(
            directory, (text.corpus, text.split), text.config, command, order=options["order"]
        )
    for line in [*map(describe_figure, quality), f"report: {page}"]:
        print(line, file=sys.stderr)
    return 0


def _resume(context: click.Context, options: dict[str, Any], group: ProcessGroup) -> Run:
    run = Run.resume(options["output"] / options["name"], group, options["device"])
    recorded = run.config.to_dict()
    given = {"corpus" if name == "text" else name for name in given_options(context)}
    for name in sorted(given - _PER_START):
        value = CELL_OF_FLAG[options[name]] if name == "cell" else options[name]
        if value not in (recorded[name], "auto"):
            flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
            raise click.UsageError(
                f"{flag} cannot change on --resume: the run has {recorded[name]} (given {options[name]})"
            )
    return run


def _train(run: Run, options: dict[str, Any]) -> int:
    trainer = run.trainer
    with_scalars = options["tensorboard"] and run.group.is_leader
    scalars = run.directory / "tensorboard" if with_scalars else None
    with StopSignal() as stop, Reporter(run.directory / HISTORY, scalars=scalars) as reporter:
        if trainer.progress.step_count == 0 and run.config.from_model and run.development is not None:
            reporter.say(f"before the first step: development {run.measure_start():.4f}")
        if not run.ended:
            step_s = measure_step_s(trainer)
            if run.group.is_leader:
                reporter.say(forecast(trainer, step_s, num_heldout_chars=len(run.split.heldout)))
        ended = run.train(reporter, lambda: stop.number is not None)
        quality = run.finish() if ended else []
        if run.group.is_leader:
            for line in describe_quality(quality) if ended else []:
                reporter.say(line)
            reporter.say(f"report: {run.write_report()}")
            for line in _exported(run, options) if ended and not options["no_export"] else []:
                reporter.say(line)
        if not ended:
            reporter.say(f"stopped; continue with: {_continuation(run, options)}")
    return 0 if ended else 128 + (stop.number or 0)


def _exported(run: Run, options: dict[str, Any]) -> list[str]:
    """Writes a run that has ended as the next version of the model of its name, unless it is one already."""
    models: Path = options["models"]
    trained = load_trained(run.directory / FILE_NAME)
    folder = version_of_run(trained, models / run.config.name)
    try:
        lines = [f"exported already: {folder}"] if folder else write_run(trained, run.split, models)
    except NextcharError as error:
        again = recorded_command(["nextchar", "export", str(run.directory)], {"--models": "FOLDER"})
        raise ModelFileError(f"{error}; the run itself is kept: {again} tries again") from error
    flag = "" if models == DEFAULT_MODELS else f" --models {shlex.quote(str(models))}"
    return [*lines, f"ready to be served: nextchar serve{flag}"]


def _continuation(run: Run, options: dict[str, Any]) -> str:
    """Returns the command that continues a stopped run where and as this one would have gone on."""
    flags = {"--name": run.config.name}
    if options["output"] != DEFAULT_OUTPUT:
        flags["--output"] = str(options["output"])
    if options["models"] != DEFAULT_MODELS:
        flags["--models"] = str(options["models"])
    export = ["--no-export"] if options["no_export"] else []
    return recorded_command(["nextchar", "train", "--resume", *export], flags)


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


def _command(context: click.Context, values: dict[str, Any], *, whole_paths: bool = False) -> str:
    """Returns the command line that makes this run again; without any path of this machine, or as given.

    It has what was given, and what was chosen by the text or by this machine, which may be chosen otherwise
    elsewhere and by a later version.
    """
    given = given_options(context) - _NOT_CONFIG | {"order"} & given_options(context)
    at_call = context.params | {"corpus": context.params["corpus"] or context.params["text"]}
    words, shown = ["nextchar", "train"], {}
    for name in context.params:
        value = at_call[name] if name in _PATHS or name == "cell" else values.get(name)
        if value is None or name not in given | _CHOSEN:
            continue
        written = _shown(name, value) if name not in _PATHS or whole_paths else recorded_path(value)
        if name == "corpus":
            words.append(written)
        else:
            shown[_FLAGS.get(name, "--" + name.replace("_", "-"))] = written
    return recorded_command(words, shown)


def _shown(name: str, value: Any) -> str:
    """Returns a value as its flag takes it."""
    if name == "device":
        return str(value).partition(":")[0]
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else str(value)
    return "full" if name == "window" and value == 0 else str(value)


if __name__ == "__main__":
    train()
