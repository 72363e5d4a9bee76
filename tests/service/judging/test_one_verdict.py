"""REST, gRPC, its stream, the command line, the library and batches: the same strings, the same verdicts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from service.judging.served_judges import BAD, NUM_NORMAL, STRINGS, write_judge
from support.live_server import LiveServer, live_server
from support.tiny_models import LINES

from nextchar import load_judge
from nextchar.batch import Judge
from nextchar.client import Client
from nextchar.entrypoints.main import main
from nextchar.errors import InvalidRequest
from nextchar.model.judging.judge import Judge as PlainJudge
from nextchar_training.judging.scored import score_list

RATE = 0.02
FIELDS = {"judge": "words", "input": STRINGS, "false_alarm_rate": RATE, "return_reasons": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models and one of judges."""
    path = tmp_path_factory.mktemp("judged")
    write_judge(path)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder / "models") as running:
        yield running


@pytest.fixture(scope="module")
def wanted(server: LiveServer) -> dict[str, Any]:
    """What REST answers."""
    answer = server.post("/v1/judge", FIELDS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def nearly(one: Any, other: Any) -> bool:
    """Returns whether two answers are the same but for the last digits of floats."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(nearly(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(nearly, one, other))
    return one == pytest.approx(other, rel=1e-9) if isinstance(one, float) else one == other


def test_a_server_says_what_the_judge_says(wanted: dict[str, Any], folder: Path) -> None:
    judge = PlainJudge.load(folder / "judges" / "words" / "1")
    scored = score_list(LINES.step(), "strings", STRINGS)
    found = judge.verdicts(STRINGS, scored.logprobs, false_alarm_rate=RATE)
    assert [v["p_value"] for v in wanted["data"]] == pytest.approx(found.p_value.tolist(), rel=1e-3)
    assert [v["is_flagged"] for v in wanted["data"]] == found.is_flagged.tolist()
    assert [v.get("kind") for v in wanted["data"]] == [found.kind(k) for k in range(len(STRINGS))]
    assert [v["index"] for v in wanted["data"]] == list(range(len(STRINGS)))
    assert (wanted["judge"], wanted["judge_version"]) == ("words", "1")
    assert (wanted["model"], wanted["model_version"]) == ("lines", "1")
    assert wanted["false_alarm_low"] < RATE < wanted["false_alarm_high"]
    assert wanted["usage"]["prompt_tokens"] == sum(map(len, STRINGS))
    for verdict in wanted["data"]:
        assert verdict["low"] <= verdict["p_value"] <= verdict["high"]
        assert set(verdict["reasons"]["evidence"]) >= {"mean_surprise", "references"}
    ends = [c for v in wanted["data"] for c in v["reasons"]["characters"] if c["char"] is None]
    assert ends
    assert all(c["special"] == "end" for c in ends)


def test_a_known_kind_is_named_and_a_string_is_judged_alone_as_among_others(
    server: LiveServer, wanted: dict[str, Any]
) -> None:
    for k, string in enumerate(STRINGS):
        alone = server.post("/v1/judge", {**FIELDS, "input": [string]}).json()["data"][0]
        assert nearly({**alone, "index": k}, wanted["data"][k])
        if string in BAD:
            assert (alone["is_flagged"], alone["kind"]) == (True, "xy")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_both_clients_and_protocols_say_the_same(
    server: LiveServer, wanted: dict[str, Any], scheme: str
) -> None:
    address = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    with Client(address) as client:
        whole = client.judge(STRINGS, judge="words", false_alarm_rate=RATE, return_reasons=True)
        assert nearly(json.loads(whole.model_dump_json()), wanted)
        many = STRINGS * 60  # three messages
        parts = list(client.judge_batches(iter(many), judge="words:1", false_alarm_rate=RATE))
        found = [verdict for part in parts for verdict in part.data]
    assert len(parts) > 1
    assert [v.index for v in found] == list(range(len(many)))
    assert [v.p_value for v in found] == pytest.approx([v["p_value"] for v in wanted["data"]] * 60)
    assert found[0].reasons is None


def test_a_loaded_judge_says_the_same(folder: Path, wanted: dict[str, Any]) -> None:
    with load_judge(folder / "judges" / "words", num_threads=1) as judge:
        found = judge.judge(STRINGS, false_alarm_rate=RATE, return_reasons=True)
        assert nearly(json.loads(found.model_dump_json()), wanted)
        assert judge.judge_card.num_normal == NUM_NORMAL
        assert len(judge.logprobs(["hello"])) == 1
        with pytest.raises(InvalidRequest, match="false_alarm_rate must be a number from"):
            judge.judge(["a"], false_alarm_rate=1e-9)


@pytest.mark.parametrize("way", ["folder", "name", "server"])
def test_the_command_says_the_same(
    folder: Path, server: LiveServer, wanted: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    asked = {"folder": ["judges/words/1"], "name": ["words"], "server": ["words", "--url", server.url]}[way]
    options = ["--false-alarm-rate", str(RATE), "--return-reasons", "--json"]
    found = CliRunner().invoke(main, ["judge", *asked, *options, "--", *STRINGS])
    assert found.exit_code == 0, found.output
    assert nearly(json.loads(found.stdout), wanted)


def test_verdicts_are_printed_with_their_reasons_and_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = CliRunner().invoke(
        main, ["judge", "words", "--false-alarm-rate", "0.001", "--return-reasons", *BAD]
    )
    assert found.exit_code == 0, found.output
    assert "Warning: a false-alarm rate of 0.001 is finer than 600 normal strings can tell" in found.stderr
    assert "flagged" in found.stdout
    assert "references: " in found.stdout
    assert " bits" in found.stdout


def test_a_file_of_lines_becomes_a_table_of_verdicts(
    folder: Path, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "given.jsonl").write_text("".join(json.dumps({"name": s}) + "\n" for s in STRINGS) + "{}\n")
    done = CliRunner().invoke(
        main,
        [
            *["judge", "words", "--file", "given.jsonl", "--column", "name", "--output", "judged.jsonl"],
            *["--false-alarm-rate", str(RATE)],
        ],
    )
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (folder / "judged.jsonl").read_text().splitlines()]
    assert rows[-1]["is_flagged"] is None
    for row, verdict in zip(rows, wanted["data"], strict=False):
        assert row["is_flagged"] == verdict["is_flagged"]
        assert row["p_value"] == pytest.approx(verdict["p_value"])
        assert row["kind"] == verdict.get("kind")


def test_a_batch_has_the_same_verdicts(folder: Path, server: LiveServer, wanted: dict[str, Any]) -> None:
    batch = {"name": np.array(STRINGS, dtype=object)}
    for judge in (
        Judge(folder / "judges" / "words", num_threads=1, false_alarm_rate=RATE),
        Judge("words", url=server.url, false_alarm_rate=RATE),
    ):
        found = judge(batch)
        assert found["is_flagged"].tolist() == [v["is_flagged"] for v in wanted["data"]]
        assert found["p_value"].tolist() == pytest.approx([v["p_value"] for v in wanted["data"]])
        assert list(found["kind"]) == [v.get("kind") for v in wanted["data"]]


def test_verdicts_and_p_values_are_counted(server: LiveServer) -> None:
    def counted() -> list[float]:
        labels = {"judge": "words", "version": "1"}
        return [
            server.metric("nextchar_verdicts_total", verdict="flagged", **labels),
            server.metric("nextchar_verdicts_total", verdict="normal", **labels),
            server.metric("nextchar_verdict_p_value_count", **labels),
        ]

    before = counted()
    verdicts = server.post("/v1/judge", {**FIELDS, "input": [*BAD, "hello"]}).json()["data"]
    num_flagged = sum(v["is_flagged"] for v in verdicts)
    assert num_flagged >= 2
    assert np.subtract(counted(), before).tolist() == [num_flagged, 3 - num_flagged, 3]
