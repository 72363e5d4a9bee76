"""Runs the program of docs/client.md as it stands."""

import re
from pathlib import Path

import pytest
from support.live_server import live_server

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_program_prints_scores_a_text_and_a_sample(
    scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (_ROOT / "docs" / "client.md").read_text(), re.DOTALL)
    with live_server(_ROOT / "models") as server:
        url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
        assert "http://127.0.0.1:8000" in program
        exec(program.replace("http://127.0.0.1:8000", url), {})
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("-20.6")
    assert "What say you, my lord?" in printed
