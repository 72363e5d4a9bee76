"""An option of a run is written once: its field has a sentence, and its flag follows from it."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nextchar_training.commands.options import GROUPS
from nextchar_training.commands.train import train
from nextchar_training.config import TrainingConfig
from nextchar_training.network.cells.table import CELLS
from nextchar_training.option import OptionField, describe_options, option_fields

_ROOT = Path(__file__).parents[3]
_FIELDS = list(option_fields(TrainingConfig))
_FLAGS = {param.name: param for param in train.params if isinstance(param, click.Option)}
_OF_COMMAND = {"output", "resume", "resume_or_start", "tensorboard", "order"}
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


def test_the_help_is_whole_sentences_under_every_heading() -> None:
    shown = CliRunner().invoke(train, ["--help"]).output
    assert [line[:-1] for line in shown.splitlines() if re.fullmatch(r"\w+:", line)] == [*GROUPS, "Other"]
    assert all(_SENTENCE.fullmatch(flag.help or "") for flag in _FLAGS.values())


def test_the_usual_learning_rates_are_those_of_the_cells() -> None:
    shown = " ".join(CliRunner().invoke(train, ["--help"]).output.split())
    assert "(0.003; 0.0015 for gru)" in shown


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
    commands = re.findall(r"^.*nextchar train (--[^#\n]*)", (_ROOT / page).read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        train.make_context("train", shlex.split(command))


def test_the_settings_of_a_report_name_no_folder(tmp_path: Path) -> None:
    config = TrainingConfig(corpus=str(tmp_path / "a.txt"), name="x", heldout_file=str(tmp_path / "b.txt"))
    shown = {flag: value for flag, value, _ in describe_options(config)}
    assert (shown["--corpus"], shown["--heldout-file"], shown["--dropout"]) == ("a.txt", "b.txt", "0.2")
    assert str(tmp_path) not in repr(shown)
