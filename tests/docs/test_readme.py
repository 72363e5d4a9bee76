"""Checks that the commands of the README print what it shows, and that links and make targets exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from nextchar.entrypoints.main import main

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text()


def examples(start: str) -> list[tuple[str, str]]:
    """Returns the commands that begin with `start`, each with the output shown below it."""
    blocks = re.findall(r"```console\n(.*?)```", _README, re.DOTALL)
    found = [re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] for block in blocks]
    parts = [entry.partition("\n") for block in found for entry in block]
    return [(command, shown.rstrip("\n")) for command, _, shown in parts if command.startswith(start)]


def test_the_command_line_answers_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)
    for name, count in (("score", 1), ("next", 1), ("complete", 1)):
        commands = examples(f"nextchar {name} models/shakespeare")
        assert len(commands) == count
        for command, shown in commands:
            found = CliRunner().invoke(main, shlex.split(command)[1:])
            assert found.exit_code == 0
            assert found.stdout.strip("\n") == shown.strip("\n")


def test_every_link_leads_somewhere() -> None:
    for path in (_ROOT / "README.md", *(_ROOT / "docs").glob("*.md"), _ROOT / "models" / "README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), (path.name, target)


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z-]+)", _README)) <= targets
