"""curl: the commands that pages show and that the server prints at its start work as they stand."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.tools import debian_program

from nextchar.entrypoints.commands.serve import _greeting

_ROOT = Path(__file__).parents[3]
_README = (_ROOT / "README.md").read_text()
_PLAYGROUND = (_ROOT / "docs" / "playground.md").read_text()
_CHANGING = {"id", "created", "expires_at"}
_ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module", autouse=True)
def _curl() -> None:
    debian_program("curl", "curl")


@pytest.fixture(scope="module")
def shipped() -> Iterator[LiveServer]:
    with live_server(_ROOT / "models") as running:
        yield running


def printed(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout


def readme_examples() -> list[tuple[str, str]]:
    """Returns the README's commands of curl, each with the output shown below it."""
    blocks = re.findall(r"```console\n(.*?)```", _README, re.DOTALL)
    found = [re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] for block in blocks]
    parts = [entry.partition("\n") for block in found for entry in block]
    return [(command, shown.rstrip("\n")) for command, _, shown in parts if command.startswith("curl")]


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


def test_those_of_the_readme_print_what_it_shows(shipped: LiveServer) -> None:
    commands = readme_examples()
    assert len(commands) == 9
    for command, shown in commands:
        done = printed(command.replace(_ADDRESS, shipped.url))
        assert close(stable(done), stable(shown)), done


def test_that_of_the_page_about_the_page_prints_what_is_shown(shipped: LiveServer) -> None:
    found = re.search(r"^\$ (curl .*)\n(.*)$", _PLAYGROUND, re.MULTILINE)
    assert found is not None
    command, shown = found.groups()
    done = printed(command.replace(_ADDRESS, shipped.url))
    numbers = re.compile(r"-?\d+\.\d{3,}")
    assert numbers.sub("#", done)[:200] == numbers.sub("#", shown)[:200]
    expected = [float(text) for text in numbers.findall(shown)[:2]]
    assert len(expected) == 2
    assert [float(text) for text in numbers.findall(done)[:2]] == pytest.approx(expected, rel=1e-3)


def test_those_that_the_server_prints_work(server: LiveServer) -> None:
    greeting = _greeting(server.settings, server.app)
    commands = [line.strip() for line in greeting.splitlines() if line.startswith("  curl ")]
    assert [shlex.split(command)[2].removeprefix(server.url) for command in commands] == [
        "/v1/score",
        "/v1/next",
        "/v1/completions",
    ]
    for command in commands:
        assert "error" not in json.loads(printed(command))
