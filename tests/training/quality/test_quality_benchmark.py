"""`make quality`, with a recipe of seconds: from training to the table."""

import sys
from pathlib import Path

import pytest
from benchmarks.quality import __main__ as quality
from click.testing import CliRunner

from nextchar.entrypoints.main import main

_TINY = "--cell gru --hidden-size 16 --embedding-size 8 --num-layers 1 --window 16 --development 0 --steps 5"


def _call(*arguments: str) -> None:
    """Runs a command in this process: two new ones would take most of the test's time."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output


def test_a_command_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit) as ended:
        quality._call("train", "--name", "x")
    assert ended.value.code == 2


def test_a_recipe_leads_to_the_table_and_a_second_time_to_the_same(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(quality.RECIPES, "gru", f"{_TINY} --num-threads 1 --softmax-temperature 1.1")
    command = ["quality", str(text_file), "--recipe", "gru", "--seed", "3", "--folder", str(tmp_path / "q")]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(quality, "_call", _call)
    tables = []
    for _ in range(2):
        quality.main()
        tables.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")])
    assert tables[0] == tables[1]
    shown = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in tables[0]]
    assert shown[:5] == [
        ("model.onnx", "stream"),
        ("model.onnx", "window-256"),
        ("step-int8.onnx", "stream"),
        ("step-int8.onnx", "window-256"),
        ("model.onnx", "dynamic"),
    ]
    assert ("kneser-ney-7", "window-256") in shown
