"""Spark's workers take a score or a judge as it is."""

from pathlib import Path

import pytest
from engine_program import judged_by, scored_by
from support.tools import debian_program


@pytest.mark.parametrize("call", ["arrow", "pandas"])
def test_a_data_frame_is_scored(tiny: Path, tmp_path: Path, call: str) -> None:
    debian_program("java", "openjdk-17-jdk-headless")
    scored_by("spark", "spark", call, tiny, tmp_path / "result.json")


@pytest.mark.parametrize("call", ["arrow", "pandas"])
def test_a_data_frame_is_judged(judge: Path, tmp_path: Path, call: str) -> None:
    debian_program("java", "openjdk-17-jdk-headless")
    judged_by("spark", "spark", call, judge, tmp_path / "result.json")
