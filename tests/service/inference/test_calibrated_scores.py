"""Percentiles and p-values of a model that was calibrated: the same at every door, only from the begin."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.live_server import LiveServer, live_server
from support.rpc_answers import same
from support.tiny_models import LINES

import nextchar
from nextchar.client import Client
from nextchar.entrypoints.main import main
from nextchar.model.surprise.calibration import calibration_card
from nextchar.model.surprise.fit import fit_curves
from nextchar.pb import nextchar_pb2 as pb

STRINGS = ["hello", "htktt", "", "a\N{SNOWMAN}b", "x" * 300]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 20, 3000)
    plain, with_end = (fit_curves(lengths + end, random.gamma(8, 0.6, 3000)) for end in (0, 1))
    assert plain is not None
    assert with_end is not None
    made = tmp_path_factory.mktemp("calibrated")
    path = made / "lines" / "1" / "step-int8.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(LINES.step_bytes(calibration=calibration_card(plain, with_end)))
    return made


@pytest.fixture(scope="module")
def calibrated(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder) as running:
        yield running


def score(server: LiveServer, path: str = "/v1/score", **fields: Any) -> dict[str, Any]:
    answer = server.post(path, {"model": "lines", "input": STRINGS, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("include_end", [False, True])
def test_every_door_says_the_same(calibrated: LiveServer, folder: Path, include_end: bool) -> None:
    answer = score(calibrated, include_end=include_end)
    with calibrated.stub() as stub:
        same(stub.Score(pb.ScoreRequest(model="lines", input=STRINGS, include_end=include_end)), answer)
    with nextchar.load(folder / "lines") as model:
        assert (
            model.score(STRINGS, include_end=include_end).model_dump(mode="json", exclude_none=True) == answer
        )
    with Client(calibrated.url) as client:
        found = client.score(STRINGS, model="lines", include_end=include_end).data
        assert [s.p_value for s in found] == [s.get("p_value") for s in answer["data"]]
    options = ["--include-end"] if include_end else []
    printed = CliRunner().invoke(main, ["score", str(folder / "lines"), *STRINGS, *options])
    rows = [line.split() for line in printed.output.splitlines()[1:]]
    for row, item in zip(rows, answer["data"], strict=True):
        if "p_value" in item:
            assert row[2:4] == [f"{item['percentile']:.1f}", f"{item['p_value']:.2g}"]


def test_a_candidate_has_the_figures_of_its_score(calibrated: LiveServer) -> None:
    wanted = score(calibrated)["data"]
    answer = score(calibrated, "/v1/compare")
    for candidate in answer["data"]:
        for name in ("percentile", "p_value"):
            assert candidate.get(name) == wanted[candidate["index"]].get(name)
    assert all("p_value" in candidate for candidate in answer["data"] if candidate["num_chars"])
    with calibrated.stub() as stub:
        same(stub.Compare(pb.CompareRequest(model="lines", input=STRINGS)), answer)


def test_figures_are_of_strings_from_the_begin_alone(calibrated: LiveServer) -> None:
    """After a context or a state, other strings are normal than those that were measured."""
    after = score(calibrated, context="a", return_state=True)
    for answer in (
        after,
        score(calibrated, state=after["state"]),
        score(calibrated, "/v1/compare", context="a"),
    ):
        assert not any({"percentile", "p_value"} & item.keys() for item in answer["data"])


def test_a_session_that_has_read_nothing_scores_from_the_begin(calibrated: LiveServer) -> None:
    with Client(calibrated.url) as client, client.session(model="lines") as session:
        fresh = session.score(STRINGS).data
        assert [s.p_value for s in fresh] == [s.get("p_value") for s in score(calibrated)["data"]]
        session.feed("a")
        assert [s.p_value for s in session.score(STRINGS).data] == [None] * len(STRINGS)
