"""Checks that the examples of docs/protocols.md print what the page shows."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.tools import tool_program, tool_python

_ROOT = Path(__file__).parents[3]
_PAGE = (_ROOT / "docs" / "protocols.md").read_text()
_SECONDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(_ROOT / "models") as running:
        yield running


def examples(program: str) -> list[tuple[str, str]]:
    """Returns the commands of a program, each with the output shown below it."""
    blocks = re.findall(r"```console\n(.*?)```", _PAGE, re.DOTALL)
    parts = [
        entry.partition("\n")
        for block in blocks
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    return [(command, shown) for command, _, shown in parts if command.startswith(program + " ")]


def check(server: LiveServer, command: list[str | Path], shown: str) -> None:
    here = [str(part).replace("127.0.0.1:8001", server.grpc_address) for part in command]
    here = [part.replace("http://127.0.0.1:8000", server.url) for part in here]
    here = [part.replace("127.0.0.1:8000", server.url.removeprefix("http://")) for part in here]
    done = subprocess.run(here, capture_output=True, text=True, timeout=_SECONDS, check=True)
    _same(done.stdout, shown)


def _same(found: str, shown: str) -> None:
    """Compares texts up to the last digits of numbers, which another processor may round differently."""
    number = r"-?\d+\.\d+"
    assert re.sub(number, "#", found).split() == re.sub(number, "#", shown).split()
    numbers = [[float(one) for one in re.findall(number, text)] for text in (found, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3)


def test_curl(server: LiveServer) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    commands = examples("curl")
    assert len(commands) == 2
    for command, shown in commands:
        check(server, [*shlex.split(command)], shown)


def test_grpcurl(server: LiveServer) -> None:
    program = tool_program("grpcurl", "grpcurl")
    commands = examples("grpcurl")
    assert len(commands) == 2
    for command, shown in commands:
        check(server, [program, *shlex.split(command)[1:]], shown)


def test_tritonclient(server: LiveServer) -> None:
    found = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", _PAGE, re.DOTALL)
    assert found
    check(server, [tool_python("tritonclient"), "-c", found[1]], found[2])
