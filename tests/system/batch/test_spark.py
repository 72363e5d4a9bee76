"""Spark's workers take a score as it is."""

from pathlib import Path

import pytest
from engine_program import scored_by
from support.tools import debian_program


@pytest.mark.parametrize("call", ["arrow", "pandas"])
def test_a_data_frame_is_scored(tiny: Path, tmp_path: Path, call: str) -> None:
    debian_program("java", "openjdk-17-jdk-headless")
    names = [row["name"] for row in scored_by("spark", "spark", call, tiny, tmp_path / "result.json")["rows"]]
    assert sorted(map(str, names)) == sorted(map(str, [None if i == 7 else f"{i:x}" for i in range(2000)]))
