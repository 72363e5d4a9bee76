"""Checks that the commands of the README print what it shows, and that links and make targets exist."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.live_server import LiveServer, live_server

from nextchar.entrypoints.main import main

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text()
_CHANGING = {"id", "created", "expires_at"}


def examples(start: str) -> list[tuple[str, str]]:
    """Returns the commands that begin with `start`, each with the output shown below it."""
    blocks = re.findall(r"```console\n(.*?)```", _README, re.DOTALL)
    found = [re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] for block in blocks]
    parts = [entry.partition("\n") for block in found for entry in block]
    return [(command, shown.rstrip("\n")) for command, _, shown in parts if command.startswith(start)]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(_ROOT / "models") as running:
        yield running


def stable(text: str) -> dict:
    return {name: value for name, value in json.loads(text).items() if name not in _CHANGING}


def close(found: object, shown: object) -> bool:
    """Compares values up to the last digits, which another processor may round differently."""
    if isinstance(shown, dict):
        return (
            isinstance(found, dict)
            and found.keys() == shown.keys()
            and all(close(found[k], shown[k]) for k in shown)
        )
    if isinstance(shown, list):
        return isinstance(found, list) and len(found) == len(shown) and all(map(close, found, shown))
    return found == pytest.approx(shown, rel=1e-3) if isinstance(shown, float) else found == shown


def test_curl_answers_what_is_shown(server: LiveServer) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    commands = examples("curl")
    assert len(commands) == 8
    for command, shown in commands:
        command = command.replace("http://127.0.0.1:8000", server.url)
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
        assert close(stable(done.stdout), stable(shown)), done.stdout


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
