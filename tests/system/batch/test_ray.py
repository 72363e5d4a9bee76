"""Ray Data scores on a cluster of two workers, and loses no row with one of them."""

from pathlib import Path

import pytest
from engine_program import scored_by


@pytest.mark.parametrize("call", ["tasks", "actors"])
def test_every_row_is_scored_once_though_a_worker_is_killed_in_the_middle(
    tiny: Path, tmp_path: Path, call: str
) -> None:
    found = scored_by("ray", "ray", call, tiny, tmp_path / "result.json")
    assert len(found["killed"]) == 1
    names = [row["name"] for row in found["rows"]]
    assert sorted(name for name in names if name is not None) == sorted(
        f"{i:x}" for i in range(4000) if i % 1000 != 7
    )
    assert names.count(None) == 4


def test_pandas_batches_are_taken_too(tiny: Path, tmp_path: Path) -> None:
    assert len(scored_by("ray", "ray", "pandas", tiny, tmp_path / "result.json")["rows"]) == 4000
