"""Runs the programs of docs/client.md as they stand."""

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from support.live_server import live_server

_ROOT = Path(__file__).parents[2]


def programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (_ROOT / "docs" / "client.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_program_prints_scores_a_text_and_a_sample(
    scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program, _, _ = programs()
    with live_server(_ROOT / "models") as server:
        url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
        assert "http://127.0.0.1:8000" in program
        exec(program.replace("http://127.0.0.1:8000", url), {})
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("-20.6")
    assert "What say you, my lord?" in printed


def test_the_program_of_the_client_that_does_not_block_scores_strings() -> None:
    _, program, _ = programs()
    names: dict[str, Any] = {}
    with live_server(_ROOT / "models") as server:
        assert "127.0.0.1:8001" in program
        source = program.replace("127.0.0.1:8001", server.grpc_address)
        asyncio.run(eval(compile(source, "client.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names))
    assert len(names["scores"].data) == 2


def test_the_program_that_looks_after_a_lost_answer_feeds_its_text() -> None:
    _, _, program = programs()
    names: dict[str, Any] = {}
    with live_server(_ROOT / "models") as server:
        exec(program.replace("http://127.0.0.1:8000", server.url), names)
        assert names["session"].opened.model == "shakespeare"
