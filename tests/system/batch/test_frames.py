"""Dask and lazy polars frames take a score or a judge as it is, and so do frames of pandas and polars."""

import subprocess
import sys
from pathlib import Path

import pytest
from engine_program import judged_by, scored_by
from engine_rows import names
from support.tools import tool_python

_TESTS = Path(__file__).parents[2] / "batch" / "test_batch_score.py"
# The tool's packages come after this environment's own, which has neither pandas nor polars.
_PROGRAM = (
    "import site, sys; site.addsitedir(sys.argv[1]); import pytest; sys.exit(pytest.main(sys.argv[2:]))"
)


def test_frames_of_pandas_and_polars_come_back_with_the_scores_beside_their_rows() -> None:
    packages = subprocess.run(
        [tool_python("ray"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    command = [
        sys.executable,
        "-c",
        _PROGRAM,
        packages,
        str(_TESTS),
        "-k",
        "pandas or polars",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_TESTS.parents[2])
    assert done.returncode == 0, done.stdout[-4000:]
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("call", ["dask", "polars"])
def test_a_frame_is_scored(tiny: Path, tmp_path: Path, call: str) -> None:
    found = scored_by("ray", "frame", call, tiny, tmp_path / "result.json")
    assert [row["name"] for row in found["rows"]] == names()


@pytest.mark.parametrize("call", ["dask", "polars"])
def test_a_frame_is_judged(judge: Path, tmp_path: Path, call: str) -> None:
    found = judged_by("ray", "frame", call, judge, tmp_path / "result.json")
    assert [row["name"] for row in found["rows"]] == names()
