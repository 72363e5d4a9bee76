"""`nextchar judge` asks a judge by default; what it cannot do is told before anything is written."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from service.judging.served_judges import write_judge

from nextchar.entrypoints.added_commands import INSTALL
from nextchar.entrypoints.commands import judge as judge_module
from nextchar.entrypoints.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a model and a judge."""
    write_judge(tmp_path)
    (tmp_path / "given.csv").write_text("name,n\nhello,1\nxyxyxyxy,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judged(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["judge", *arguments])


def test_fit_is_the_command_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--normal" in judged("fit", "--help").stdout
    monkeypatch.setattr(judge_module, "added", lambda: {})
    refused = judged("fit", "--normal", "x")
    assert refused.exit_code == 1
    assert "`nextchar judge fit` needs the training packages" in refused.stderr
    assert INSTALL in refused.stderr


def test_ask_may_be_left_out(folder: Path) -> None:
    assert folder
    assert judged("words", "hello").stdout == judged("ask", "words", "hello").stdout
    assert "normal" in judged("words", "hello").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "a"], "there is no judge in 'judges/none'"),
        (["words:7", "a"], "there is no judge in 'judges/words/7'"),
        (["words", "a", "--false-alarm-rate", "1e-9"], "false_alarm_rate must be a number from 0.00017"),
        (["words", "a", "--false-alarm-rate", "2"], "false_alarm_rate: input should be less than 1, is 2.0"),
        (["words", "a", "--prefix", "x"], "--prefix is for tables"),
        (["words", "--file", "given.csv", "--column", "none"], "has no column 'none'"),
        (["words", "--file", "given.csv", "--column", "name", "--json"], "not for a table"),
        (
            ["words", "--file", "given.csv", "--column", "name", "--false-alarm-rate", "1e-9"],
            "fit it on more for finer rates",
        ),
    ],
)
def test_what_cannot_be_done_is_told(folder: Path, arguments: list[str], message: str) -> None:
    before = sorted(folder.iterdir())
    refused = judged(*arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert sorted(folder.iterdir()) == before


def test_a_judge_whose_model_is_gone_is_told_by_name(folder: Path) -> None:
    shutil.rmtree(folder / "models" / "lines")
    refused = judged("words", "a")
    assert refused.exit_code == 2
    assert "its model 'lines' version 1 is not in the folder" in refused.stderr
    write_judge(folder / "other")
    assert judged("words", "a", "--models", "other/models").exit_code == 0


def test_a_table_is_written_and_warned_of(folder: Path) -> None:
    done = judged(
        *["words", "--file", "given.csv", "--column", "name", "--output", "out.csv"],
        *["--false-alarm-rate", "0.001"],
    )
    assert done.exit_code == 0, done.output
    assert "Warning: a false-alarm rate of 0.001 is finer" in done.stderr
    head, _, second = (folder / "out.csv").read_text().splitlines()
    assert head == "name,n,is_flagged,p_value,low,high,kind"
    assert second.startswith("xyxyxyxy,2,")
    assert second.endswith(",xy")
