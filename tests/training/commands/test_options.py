"""An option of a run is written once: its field has a sentence, and its flag follows from it."""

import re
import shlex
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from nextchar_training.commands.analyze import analyze
from nextchar_training.commands.calibrate import calibrate
from nextchar_training.commands.evaluate import evaluate
from nextchar_training.commands.export import export
from nextchar_training.commands.import_model import import_model
from nextchar_training.commands.judge_fit import fit_judge
from nextchar_training.commands.options import CELL_OF_FLAG, GROUPS
from nextchar_training.commands.train import train
from nextchar_training.config import TrainingConfig
from nextchar_training.export.export import export as make_export
from nextchar_training.inside.page import gradient_part, recall_part
from nextchar_training.measure.dynamic import Dynamics, dynamic_quality
from nextchar_training.measure.exported import graph_quality
from nextchar_training.network.cells.table import CELLS
from nextchar_training.option import OptionField, describe_options, option_fields
from nextchar_training.run.ngram_run import train_ngram
from nextchar_training.text.heldout import heldout_split

_ROOT = Path(__file__).parents[3]
_FIELDS = list(option_fields(TrainingConfig))
_FLAGS = {param.name: param for param in train.params if isinstance(param, click.Option)}
_OF_COMMAND = {"output", "resume", "resume_or_start", "tensorboard", "order", "models", "no_export"}
_SENTENCE = re.compile(r"[A-Z].*\.")


@pytest.mark.parametrize("field", _FIELDS, ids=lambda field: field.name)
def test_a_field_has_a_sentence_a_group_and_a_flag_with_its_default(field: OptionField) -> None:
    flag = _FLAGS[field.name]
    assert _SENTENCE.fullmatch(field.option.sentence)
    assert field.group in GROUPS
    assert flag.help == field.option.sentence
    if field.option.automatic:
        assert flag.default == ("auto" if field.choices else None)
    elif field.name == "cell":
        assert flag.default == CELLS[field.default].flag
    else:
        assert flag.default == field.default


def test_every_flag_is_a_field_or_one_of_the_command() -> None:
    assert set(_FLAGS) == {field.name for field in _FIELDS} | _OF_COMMAND


# What the flags of a command set in the library, and which of them only the command itself reads.
_SETS: list[tuple[click.Command, list[Callable[..., Any]], set[str]]] = [
    (train, [TrainingConfig, train_ngram], _OF_COMMAND - {"order"}),
    (export, [make_export], {"models", "name", "version"}),
    (evaluate, [heldout_split, graph_quality, dynamic_quality, Dynamics], set()),
    (analyze, [heldout_split, gradient_part, recall_part], {"text", "parts", "output"}),
]
_OTHER_NAMES = {
    "float32_step": "keep_float32_step",
    "recall_steps": "max_steps",
    "dynamic_rate": "rate",
    "dynamic_decay": "decay",
    "dynamic_segment": "segment",
}


@pytest.mark.parametrize(
    ("command", "library", "of_command"), _SETS, ids=[command.name for command, *_ in _SETS]
)
def test_every_flag_has_the_default_of_what_it_sets(
    command: click.Command, library: list[Callable[..., Any]], of_command: set[str]
) -> None:
    automatic = {field.name for field in _FIELDS if field.option.automatic}
    flags = {param.name or "": param for param in command.params if isinstance(param, click.Option)}
    assert of_command <= set(flags)
    given = command.make_context("test", [] if command is train else ["x"]).params
    for name in set(flags) - of_command:
        defaults = _defaults(library, _OTHER_NAMES.get(name, name))
        assert defaults, f"--{name} sets nothing in the library, or under another name"
        if Parameter.empty in defaults:
            assert flags[name].required or given[name] is None, name
        elif command is not train or name not in automatic:  # else see the test of the fields
            expected = CELL_OF_FLAG.get(given[name], given[name])
            assert defaults == [expected] * len(defaults), name


def _defaults(library: list[Callable[..., Any]], name: str) -> list[Any]:
    """The defaults of a parameter, wherever there is one of its name."""
    parameters = [signature(part).parameters for part in library]
    return [found[name].default for found in parameters if name in found]


def test_the_help_is_whole_sentences_under_every_heading() -> None:
    shown = CliRunner().invoke(train, ["--help"]).output
    assert [line[:-1] for line in shown.splitlines() if re.fullmatch(r"\w+:", line)] == [*GROUPS, "Other"]
    assert all(_SENTENCE.fullmatch(flag.help or "") for flag in _FLAGS.values())


def test_the_usual_learning_rates_are_those_of_the_cells() -> None:
    shown = "".join(CliRunner().invoke(train, ["--help"]).output.split())
    adamw = "0.003;0.002forrnn;0.001forrelu;0.0015forgru;0.0015forgru-reset-first"
    sgd = "2withsgd;0.5forreluwithsgd"
    assert f"({adamw};{sgd})" in shown


def test_numbers_out_of_bounds_are_refused_with_the_bounds() -> None:
    for arguments, bounds in (
        (["--dropout", "0.95"], "0<=x<=0.9"),
        (["--heldout", "0"], "x>0"),
        (["--average-decay", "1"], "0<=x<1"),
        (["--num-layers", "0"], "x>=1"),
    ):
        result = CliRunner().invoke(train, ["--name", "x", *arguments])
        assert result.exit_code == 2
        assert bounds in result.stderr


@pytest.mark.parametrize("page", ["README.md", "models/README.md", "docs/quality.md", "Makefile"])
def test_the_commands_of_the_documentation_are_understood(page: str) -> None:
    commands = re.findall(r"^.*nextchar train ([^#`\n]+)", (_ROOT / page).read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        train.make_context("train", shlex.split(command))


def test_the_settings_of_a_report_name_no_folder(tmp_path: Path) -> None:
    config = TrainingConfig(corpus=str(tmp_path / "a.txt"), name="x", heldout_file=str(tmp_path / "b.txt"))
    shown = {flag: value for flag, value, _ in describe_options(config)}
    assert (shown["--corpus"], shown["--heldout-file"], shown["--dropout"]) == ("a.txt", "b.txt", "0.2")
    assert str(tmp_path) not in repr(shown)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, option)
        for command in (train, evaluate, export, analyze, import_model, fit_judge, calibrate)
        for option in command.params
        if isinstance(option.type, click.FloatRange)
    ],
    ids=lambda part: part.name,
)
def test_nan_is_in_no_range(command: click.Command, option: click.Option) -> None:
    said = CliRunner().invoke(command, [option.opts[0], "nan"])
    assert said.exit_code == 2
    assert f"Invalid value for '{option.opts[0]}': nan is not in the range " in said.stderr
