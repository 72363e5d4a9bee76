"""Dask and lazy polars frames take a score as it is."""

from pathlib import Path

import pytest
from engine_program import scored_by


@pytest.mark.parametrize("call", ["dask", "polars"])
def test_a_frame_is_scored(tiny: Path, tmp_path: Path, call: str) -> None:
    found = scored_by("ray", "frame", call, tiny, tmp_path / "result.json")
    names = [row["name"] for row in found["rows"]]
    assert names == [None if i == 7 else f"{i:x}" for i in range(2000)]
