"""Checks that the command of docs/playground.md prints what it shows, and that every panel has a section."""

import re
import subprocess
from pathlib import Path

import pytest
from support.live_server import live_server

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "playground.md").read_text()


def test_its_command_answers_what_is_shown() -> None:
    found = re.search(r"^\$ (curl .*)\n(.*)$", _PAGE, re.MULTILINE)
    assert found is not None
    command, shown = found.groups()
    with live_server(_ROOT / "models") as server:
        command = command.replace("http://127.0.0.1:8000", server.url)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    numbers = re.compile(r"-?\d+\.\d{3,}")
    assert numbers.sub("#", done.stdout)[:200] == numbers.sub("#", shown)[:200]
    expected = [float(text) for text in numbers.findall(shown)[:2]]
    assert [float(text) for text in numbers.findall(done.stdout)[: len(expected)]] == pytest.approx(
        expected, rel=1e-3
    )


def test_every_panel_has_a_section() -> None:
    tabs = re.findall(r'role="tab"[^>]*>(\w+)<', (_ROOT / "server/nextchar/rest/web/index.html").read_text())
    assert re.findall(r"^## (\w+)$", _PAGE, re.MULTILINE) == tabs
