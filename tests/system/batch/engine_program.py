"""Runs a program that scores with somebody else's engine, and compares with a model in this process."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.tools import tool_python

import nextchar

_HERE, _ROOT = Path(__file__).parent, Path(__file__).parents[3]
_SECONDS = 400


def scored_by(tool: str, program: str, call: str, model: Path, result: Path) -> dict[str, Any]:
    """Returns what a program has found; its scores are those of a model in this process."""
    done = subprocess.run(
        [tool_python(tool), _HERE / f"{program}_calls.py", model, call, result],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(_ROOT / "server")},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(result.read_text())
    _check_scores(model, found["rows"])
    return found


def _check_scores(model: Path, rows: list[dict[str, Any]]) -> None:
    """Checks each row's score, and that a row without a string has none."""
    with nextchar.load(model) as loaded:
        strings = [row["name"] for row in rows if row["name"] is not None]
        scores = dict(zip(strings, loaded.score(strings).data, strict=True))
    for row in rows:
        if row["name"] is None:
            assert row["logprob"] is None or math.isnan(row["logprob"])
            assert row["num_chars"] is None or math.isnan(row["num_chars"])
        else:
            assert row["logprob"] == pytest.approx(scores[row["name"]].logprob, abs=1e-9)
            assert row["num_chars"] == scores[row["name"]].num_chars
