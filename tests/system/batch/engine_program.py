"""Runs a program that adds columns by somebody else's engine, and compares them with this process's own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_rows import NUM_ROWS, strings
from support.tools import tool_python

import nextchar

_HERE, _ROOT = Path(__file__).parent, Path(__file__).parents[3]
_SECONDS = 400
SCORE = ("logprob", "bits_per_char", "num_chars", "num_unknown")
VERDICT = ("is_flagged", "p_value", "low", "high", "kind")


def scored_by(tool: str, program: str, call: str, model: Path, result: Path) -> dict[str, Any]:
    """Returns what a program has found; its scores are those of a model in this process."""
    found = _found(tool, program, call, ("score", model), result)
    with nextchar.load(model) as loaded:
        scores = loaded.score(strings()).data
    check_rows(found["rows"], SCORE, scores)
    return found


def judged_by(tool: str, program: str, call: str, judge: Path, result: Path) -> dict[str, Any]:
    """Returns what a program has found; its verdicts are those of a judge in this process."""
    found = _found(tool, program, call, ("judge", judge), result)
    with nextchar.load_judge(judge) as loaded:
        verdicts = loaded.judge(strings()).data
    check_rows(found["rows"], VERDICT, verdicts)
    return found


def _found(tool: str, program: str, call: str, added: tuple[str, Path], result: Path) -> dict[str, Any]:
    done = subprocess.run(
        [tool_python(tool), _HERE / f"{program}_calls.py", *added, call, result],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(_ROOT / "server")},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def check_rows(rows: list[dict[str, Any]], columns: Sequence[str], answers: Sequence[Any]) -> None:
    """Checks that each name is in one row, with the values of its answer; without a string there are none."""
    wanted = dict(zip(strings(), answers, strict=True))
    assert sorted(row["name"] for row in rows if _known(row["name"]) is not None) == sorted(wanted)
    assert len(rows) == NUM_ROWS
    for row in rows:
        answer = wanted.get(row["name"])
        for column in columns:
            value = None if answer is None else getattr(answer, column)
            near = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert _known(row[column]) == near, row


def _known(value: Any) -> Any:
    """Returns the value, or None for the NaN that pandas has in place of one."""
    return None if value != value else value
