"""Defines `nextchar judge fit`: makes a judge of lists of normal and bad strings."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nextchar.errors import InvalidRequest
from nextchar.model.golden import check_golden
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.model.judging.card import MAX_NORMAL
from nextchar.model.judging.judge import STEP_GRAPHS, judges_beside
from nextchar.model.names import MAX_VERSION, is_version
from nextchar.model.text_form import TextForm
from nextchar_training.commands.command_line import recorded_command
from nextchar_training.commands.export import export
from nextchar_training.commands.number_range import NumberRange
from nextchar_training.commands.options import DEFAULT_MODELS, JUDGES_VARIABLE, MODELS_VARIABLE, ModelName
from nextchar_training.commands.train import train
from nextchar_training.judging.evaluation import evaluate
from nextchar_training.judging.fit import fit
from nextchar_training.judging.lists import (
    MIN_NORMAL,
    StringList,
    check_normal,
    check_rate,
    checked_bad,
    read_list,
)
from nextchar_training.judging.normal import HELD_OUT, cut, never_trained_on, sampled
from nextchar_training.judging.page import lines, report
from nextchar_training.judging.references import fit_reference
from nextchar_training.judging.scored import score_list
from nextchar_training.judging.written import PAGE_NAME, Sources, judge_files
from nextchar_training.option import recorded_path
from nextchar_training.run.version_folder import check_new, latest_version, next_version, write_version

_TRAINING = "--unit line --hidden-size 256 --num-layers 1 --dropout 0.1 --seed 1"
_STOPPED = 128  # and the number of the signal: the exit code of training
_TRAINED_FORM = TextForm()  # of what `_TRAINING` trains


@click.group(name="judge")
def judge() -> None:
    """Judge strings: fit a judge to what is normal, and to what is not."""


@judge.command(name="fit")
@click.option(
    "--normal",
    type=click.Path(path_type=Path),
    required=True,
    help="A file of normal strings, one per line: the more, the finer the rates of false alarms.",
)
@click.option(
    "--bad",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of bad strings of one kind, one per line; may be given several times.",
)
@click.option(
    "--model",
    help="The model of normal strings, NAME or NAME/VERSION; by default one is trained on --normal.",
)
@click.option("--name", type=ModelName(), required=True, help="The name of the judge.")
@click.option("--version", type=click.IntRange(1, MAX_VERSION), help="By default the next free one.")
@click.option(
    "--false-alarm-rate",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="The share of normal strings that may be flagged where a question names no other.",
)
@click.option(
    "--max-strings",
    type=click.IntRange(1000, MAX_NORMAL),
    default=20_000,
    show_default=True,
    help="How many strings of a list are read at most, chosen at random.",
)
@click.option(
    "--max-minutes",
    type=NumberRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="How long the model of normal strings is trained, if none is given.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=DEFAULT_MODELS,
    show_default=True,
    envvar=MODELS_VARIABLE,
    help="The folder of models.",
)
@click.option(
    "--judges",
    type=click.Path(path_type=Path),
    show_default="judges beside the folder of models",
    envvar=JUDGES_VARIABLE,
    help="The folder of judges.",
)
def fit_judge(
    normal: Path,
    bad: tuple[Path, ...],
    model: str | None,
    name: str,
    version: int | None,
    false_alarm_rate: float,
    max_strings: int,
    max_minutes: float,
    models: Path,
    judges: Path | None,
) -> None:
    """Fit a judge to normal strings, and to bad ones if there are any; write judges/NAME/VERSION.

    It is calibrated on normal strings that nothing was trained on, and measured by cross-validation.
    """
    versions = (judges or judges_beside(models)) / name
    folder = versions / str(version or next_version(versions))
    check_new(folder)
    given = None if model is None else _given(models, model)
    form = _TRAINED_FORM.of if given is None else given.graph.vocabulary.normalize
    listed = read_list(normal, form, _warn)
    # Lists are checked before a model is trained, which takes minutes.
    kinds = checked_bad([read_list(path, form, _warn) for path in bad], listed, _warn)
    if given is None:
        training, calibration = cut(listed)
        advice = f"give {MIN_NORMAL / HELD_OUT:,.0f} strings or more, or a --model"
    else:
        training, calibration = listed, never_trained_on(given.graph.card, listed, _warn)
        advice = "give more normal strings"
    check_normal(calibration, listed, advice)
    check_rate(false_alarm_rate, min(max_strings, len(calibration.strings)), _warn)
    if given is None:
        given = _trained(training, models, name, max_minutes)
        _warn(f"should the rest fail, --model {given.name}/{given.version} fits the judge without training")
    values: dict[str, str | list[str]] = {"--normal": recorded_path(str(normal))}
    values["--bad"] = [recorded_path(str(path)) for path in bad]
    values |= {"--model": f"{given.name}/{given.version}", "--name": name}
    command = recorded_command(["nextchar", "judge", "fit"], values)
    kept, *kinds = [sampled(one, max_strings, _warn) for one in (calibration, *kinds)]
    _write(folder, Sources(given.name, given.version, given.graph, kept, kinds, command), false_alarm_rate)


@dataclass(frozen=True)
class _NormalModel:
    """The model of normal strings."""

    name: str
    version: str
    graph: ModelGraph


def _given(models: Path, model: str) -> _NormalModel:
    """Opens a model that is there."""
    name, version = _version(models, model)
    return _NormalModel(name, version, _opened(models / name / version))


def _trained(training: StringList, models: Path, name: str, max_minutes: float) -> _NormalModel:
    """Trains a model, writes it as the next version of its name and opens it."""
    version = str(next_version(models / name))
    _train(training, models, name, max_minutes)
    return _NormalModel(name, version, _opened(models / name / version))


def _version(models: Path, model: str) -> tuple[str, str]:
    """Returns the name and the version of `NAME` or `NAME/VERSION`."""
    name, _, version = model.partition("/")
    if not version:
        version = str(latest_version(models / name))
    if not is_version(version) or not (models / name / version).is_dir():
        raise InvalidRequest(
            f"there is no model {model!r} in the folder {str(models)!r}: give NAME or NAME/VERSION, or "
            "another --models",
            param="model",
        )
    return name, version


def _opened(folder: Path) -> ModelGraph:
    """Opens the step graph that is served, the int8 one if there is."""
    path = next((path for name in STEP_GRAPHS if (path := folder / name).exists()), folder / STEP_GRAPHS[0])
    graph = open_graph(path, shown=str(path))
    check_golden(graph, shown=str(path))
    return graph


def _train(training: StringList, models: Path, name: str, max_minutes: float) -> None:
    """Trains a model of normal strings and writes it, by `nextchar train` and `nextchar export`."""
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary) / f"{training.name}.txt"
        corpus.write_text("".join(f"{s}\n" for s in training.strings), encoding="utf-8")
        words = ["--corpus", str(corpus), "--name", name, "--output", temporary, *_TRAINING.split()]
        words += ["--max-minutes", str(max_minutes), "--no-export"]
        if code := train.main(words, standalone_mode=False):
            if code > _STOPPED:
                _warn("stopped before there was a judge: the run is removed, give the whole command again")
            sys.exit(code)
        export.main([f"{temporary}/{name}", "--models", str(models)], standalone_mode=False)


def _write(folder: Path, sources: Sources, default_rate: float) -> None:
    """Scores the lists, measures and fits the judge, and writes it with its report."""
    _warn(f"scoring {len(sources.normal.strings):,} normal strings and {len(sources.bad)} kinds of bad ones")
    vocabulary = sources.graph.vocabulary
    normal = score_list(sources.graph, sources.normal.name, sources.normal.strings)
    bad = [score_list(sources.graph, one.name, one.strings) for one in sources.bad]
    conditions = evaluate(normal, bad, vocabulary, say=_warn)
    fitted = fit(normal, [fit_reference(one.name, one.ids, vocabulary) for one in bad])
    quality = [measured for condition in conditions for measured in condition.measured()]
    files = judge_files(folder.parent.name, fitted, sources, quality, default_rate)
    page = report(folder.parent.name, conditions, fitted.false_alarms)
    write_version(files | {PAGE_NAME: page.encode()}, folder)
    _say([*lines(conditions, fitted.false_alarms), f"wrote {folder}", f"report: {folder / PAGE_NAME}"])


def _say(found: Sequence[str]) -> None:
    for line in found:
        click.echo(line)


def _warn(message: str) -> None:
    click.echo(message, err=True)
