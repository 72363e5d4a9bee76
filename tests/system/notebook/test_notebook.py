"""docs/notebook.py runs as a notebook, and the lines of docs/library.md run with pandas, polars and Arrow.

nbclient, jupytext, pandas, polars and pyarrow are in the environment of the tool `notebook`; nextchar and
what it needs come from this one.
"""

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from support.tools import tool_python

import nextchar

_HERE, _ROOT = Path(__file__).parent, Path(__file__).parents[3]
_SECONDS = 600


def found(program: str, *arguments: str | Path) -> Any:
    """Returns the JSON that a program of this folder prints in the environment of the tool."""
    places = [str(_ROOT / "server"), sysconfig.get_paths()["purelib"]]
    done = subprocess.run(
        [tool_python("notebook"), _HERE / program, *arguments],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places), "JUPYTER_PLATFORM_DIRS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = found("notebook_run.py", _ROOT / "docs" / "notebook.py", _ROOT)
    return answer


def cell(cells: list[dict[str, Any]], word: str) -> dict[str, Any]:
    (one,) = [cell for cell in cells if word in cell["source"]]
    return one


def test_a_notebook_loads_a_model_without_a_server(cells: list[dict[str, Any]]) -> None:
    assert cell(cells, "nextchar.load")["text"].strip() == "<nextchar model 'domains', version 1>"


def test_it_scores_a_hundred_thousand_strings_into_a_frame(cells: list[dict[str, Any]]) -> None:
    assert "100_000" in cell(cells, "pd.DataFrame")["source"]
    shown = cell(cells, "model.logprobs(frame")["text"]
    name, logprob = re.findall(r"^\d+ +(\w+) +(-[\d.]+)", shown, re.MULTILINE)[0]
    with nextchar.load(_ROOT / "models" / "domains") as model:
        assert model.logprobs([name])[0] == pytest.approx(float(logprob), abs=1e-5)


def test_it_plots_and_opens_a_session(cells: list[dict[str, Any]]) -> None:
    assert [cell(cells, word)["num_images"] for word in ("plot.hist", "imshow")] == [1, 1]
    with (
        nextchar.load(_ROOT / "models" / "domains") as model,
        model.session(prime="faceb", seed=1) as session,
    ):
        text = session.sample(max_tokens=20, temperature=0.5).choices[0].text
    assert cell(cells, "model.session")["text"].strip().endswith(repr(text))


def test_a_column_of_pandas_polars_and_arrow_is_scored_by_one_line_each() -> None:
    page = (_ROOT / "docs" / "library.md").read_text()
    kinds = ("a pandas frame", "a polars frame", "an Arrow table")
    lines = [re.findall(rf"^(.*)  # {kind}$", page, re.MULTILINE) for kind in kinds]
    assert [len(of_kind) for of_kind in lines] == [1, 1, 1]
    scores = found("frame_lines.py", _ROOT / "models" / "shakespeare", *(line for (line,) in lines))
    with nextchar.load(_ROOT / "models" / "shakespeare") as model:
        expected = model.logprobs(["hello", "htktt", "ä"]).tolist()
    assert scores == {"pandas": expected, "polars": expected, "Arrow": expected}
