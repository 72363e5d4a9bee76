"""Runs the commands and programs of docs/learning.md, and compares what they print with what it shows."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nextchar.entrypoints.main import main
from nextchar_training.export.read_back import load_network
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import num_parameters

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "learning.md").read_text()
_PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", _PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def in_the_projects_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)


def commands() -> list[tuple[str, str]]:
    """Returns the commands that ask a shipped model, each with the output below it."""
    blocks = re.findall(r"```console\n(.*?)```", _PAGE, re.DOTALL)
    entries = [
        entry.partition("\n") for block in blocks for entry in re.split(r"^\$ ", block, flags=re.M)[1:]
    ]
    asked = re.compile(r"nextchar (score|next|complete) models/(shakespeare|python)\b")
    return [(command, shown) for command, _, shown in entries if asked.match(command)]


@pytest.mark.parametrize(("command", "shown"), commands())
def test_a_command_prints_what_is_shown(command: str, shown: str) -> None:
    found = CliRunner().invoke(main, shlex.split(command)[1:])
    assert found.exit_code == 0
    assert found.stdout.strip("\n") == shown.strip("\n")


def test_the_two_questions_of_the_notes_are_asked() -> None:
    asked = " ".join(command for command, _ in commands())
    assert "Today is a good " in asked
    assert "I live in France. I speak " in asked


def test_the_equations_in_numpy_give_the_distribution_that_is_served(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, shown = _PROGRAMS[0]
    names: dict[str, object] = {}
    exec(program, names)
    assert capsys.readouterr().out == shown
    by_hand, served = (re.findall(r"'(\w)'", line) for line in shown.splitlines())
    assert by_hand == served


def test_the_three_terms_of_the_gradient_of_h3_add_up_to_that_of_autograd(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, shown = _PROGRAMS[1]
    names: dict[str, object] = {}
    exec(program, names)
    printed = capsys.readouterr().out
    print(printed)  # the terms, for whoever runs this test with -s
    assert printed == shown
    exec("assert torch.allclose(sum(terms.values()), autograd, atol=1e-12) and len(terms) == 3", names)


def test_every_flag_that_it_names_is_one() -> None:
    context = click.Context(main)
    used = [main.get_command(context, name) for name in ("score", "complete", "train", "analyze")]
    params = [param for command in used if command for param in command.params]
    ours = {flag for param in params for flag in [*param.opts, *param.secondary_opts]}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", _PAGE)) <= ours


def test_every_cell_that_it_names_is_one_and_has_as_many_parameters() -> None:
    assert set(re.findall(r"--cell ([\w-]+)", _PAGE)) <= {cell.flag for cell in CELLS.values()}
    for name in ("shakespeare-rnn", "shakespeare-gru", "shakespeare"):
        model, _ = load_network(Path("models", name, "1", "model.onnx"))
        assert f"{num_parameters(model):,}" in _PAGE


@pytest.mark.parametrize("name", ["shakespeare-rnn", "shakespeare-gru", "shakespeare"])
def test_the_losses_are_those_of_the_cards(name: str) -> None:
    shown = CliRunner().invoke(main, ["card", f"models/{name}"]).stdout
    nats = re.search(r"network +stream +(\S+) nats +(\S+) bits", shown)
    assert nats is not None
    assert re.search(rf"`{name}` \| {nats[1]} \| {nats[2]} \|", _PAGE)
