"""Ray Data scores and judges on a cluster of two workers, and loses no row with one of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from engine_program import VERDICT, check_rows, judged_by, scored_by
from engine_rows import names, strings
from support.live_server import live_server

from nextchar.client import Client
from nextchar.entrypoints.main import main


@pytest.mark.parametrize("call", ["tasks", "actors"])
def test_every_row_is_scored_once_though_a_worker_is_killed_in_the_middle(
    tiny: Path, tmp_path: Path, call: str
) -> None:
    assert len(scored_by("ray", "ray", call, tiny, tmp_path / "result.json")["killed"]) == 1


def test_pandas_batches_are_taken_too(tiny: Path, tmp_path: Path) -> None:
    scored_by("ray", "ray", "pandas", tiny, tmp_path / "result.json")


def test_every_row_is_judged_once_though_a_worker_is_killed_in_the_middle(
    judge: Path, tmp_path: Path
) -> None:
    assert len(judged_by("ray", "ray", "tasks", judge, tmp_path / "result.json")["killed"]) == 1


def test_rest_grpc_the_command_the_library_and_ray_give_the_same_verdicts(
    judge: Path, tmp_path: Path
) -> None:
    found = judged_by("ray", "ray", "actors", judge, tmp_path / "result.json")  # as the library's
    assert len(found["killed"]) == 1
    with live_server(judge.parents[1] / "models") as server:
        for url in (server.url, f"grpc://{server.grpc_address}"):
            with Client(url) as client:
                answers = [
                    one for part in client.judge_batches(strings(), judge="words") for one in part.data
                ]
            check_rows(found["rows"], VERDICT, answers)
    given, output = tmp_path / "given.jsonl", tmp_path / "judged.jsonl"
    given.write_text("".join(json.dumps({"name": name}) + "\n" for name in names()))
    done = CliRunner().invoke(
        main, ["judge", str(judge), "--file", str(given), "--column", "name", "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = [json.loads(line) for line in output.read_text().splitlines()]
    check_rows(rows, VERDICT, answers)
    assert {row["kind"] for row in found["rows"]} == {"xy", None}
    assert {row["is_flagged"] for row in found["rows"]} == {True, False, None}
