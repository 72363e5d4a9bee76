"""`nextchar judge --adaptive` says what the API says of lines that are one text."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from service.judging.served_judges import write_judge
from support.tiny_models import TEXT

from nextchar import load_judge
from nextchar.entrypoints.main import main

LINES = [*["fig", "gala", "camel"] * 20, "zq.zq", "fig"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two judges: of lines, and of running text."""
    write_judge(tmp_path)
    write_judge(tmp_path, name="running", model=TEXT, model_name="tiny", knows_bad=False)
    (tmp_path / "lines.txt").write_text("".join(f"{line}\n" for line in LINES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judged(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["judge", *arguments])


@pytest.mark.parametrize(("name", "end"), [("words", ""), ("running", "\n")])
def test_the_lines_of_a_file_are_one_text(folder: Path, name: str, end: str) -> None:
    with load_judge(folder / "judges" / name) as judge:
        expected = judge.judge([f"{line}{end}" for line in LINES], adaptive=True, false_alarm_rate=0.1)
    options = ["--adaptive", "--false-alarm-rate", "0.1", "--file", "lines.txt"]
    found = judged(name, *options, "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout) == json.loads(expected.model_dump_json())
    printed = judged(name, *options)
    assert "no string can be flagged before 17 strings were read; before these, 0 were" in printed.stderr
    header, *lines = printed.stdout.splitlines()
    assert header.split()[:2] == ["verdict", "p-value"]
    for line, text, verdict in zip(lines, LINES, expected.data, strict=True):
        assert line.startswith("flagged" if verdict.is_flagged else "normal")
        assert line.endswith(repr(text))


def test_strings_in_arguments_are_one_text_as_they_are(folder: Path) -> None:
    with load_judge(folder / "judges" / "running") as judge:
        expected = judge.judge(LINES[:9], adaptive=True)
    found = judged("running", "--adaptive", "--json", *LINES[:9])
    assert json.loads(found.stdout) == json.loads(expected.model_dump_json())


def test_a_rate_that_is_finer_than_the_judge_can_tell_is_warned_of(folder: Path) -> None:
    assert folder
    found = judged("words", "--adaptive", "--false-alarm-rate", "1e-6", "a")
    assert found.exit_code == 0
    assert "Warning: at a false-alarm rate of 1e-06 no string can be flagged" in found.stderr


def test_a_table_is_not_learned(folder: Path) -> None:
    (folder / "rows.csv").write_text("text\nabc\n")
    refused = judged("words", "--adaptive", "--file", "rows.csv")
    assert refused.exit_code == 2
    assert "--adaptive" in refused.stderr
    assert "not for a table" in refused.stderr
