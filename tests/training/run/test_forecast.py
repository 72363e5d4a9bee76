"""The forecast says how long a run takes, in words that fit, and how to end a long one sooner."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from nextchar_training.run.forecast import forecast
from nextchar_training.run.run import Run

MakeRun = Callable[..., Run]


def _said(make_run: MakeRun, step_s: float, **options: Any) -> str:
    return forecast(make_run(**options).trainer, step_s, num_heldout_chars=600)


@pytest.mark.parametrize(
    ("step_s", "shown"), [(1.0, "0.2 minutes"), (600.0, "2.0 hours"), (900.0, "3.0 hours")]
)
def test_long_runs_are_said_in_hours(make_run: MakeRun, step_s: float, shown: str) -> None:
    said = _said(make_run, step_s)
    found = re.search(r"characters, ([\d.]+ \w+)", said)
    assert found, said
    assert found[1] == shown


def test_measuring_at_the_end_is_counted(make_run: MakeRun) -> None:
    """600 characters at a step of 64 a minute."""
    assert " and 9.4 minutes of measuring" in _said(make_run, 60.0)
    assert "measuring" not in _said(make_run, 1.0)


def test_a_run_that_takes_long_is_told_how_to_end_sooner(make_run: MakeRun) -> None:
    assert "--max-minutes" in _said(make_run, 600.0)
    assert "--max-minutes" not in _said(make_run, 1.0)
    assert "--max-minutes" not in _said(make_run, 600.0, max_minutes=60.0)
