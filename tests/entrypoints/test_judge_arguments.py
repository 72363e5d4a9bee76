"""`nextchar judge` asks a judge by default; what it cannot do is told before anything is written."""

import gzip
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from service.judging.served_judges import write_judge

from nextchar.entrypoints.added_commands import INSTALL
from nextchar.entrypoints.commands import judge as judge_module
from nextchar.entrypoints.main import main
from nextchar.entrypoints.settings import Settings
from nextchar.model.card import MAX_MODEL_BYTES
from nextchar.repository.judge_path import DEFAULT_MODELS


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
        (["none", "a"], "/judges/none': give the folder of a judge"),
        (["words:7", "a"], "/judges/words/7': give the folder of a judge"),
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


def test_an_input_that_is_cut_off_is_judged_on_by_the_same_judge_alone(folder: Path) -> None:
    rows = "".join(f"{i:x},{i}\n" for i in range(9000))
    whole = gzip.compress(f"name,n\n{rows}".encode())
    (folder / "in.csv.gz").write_bytes(whole[: len(whole) * 3 // 4])
    arguments = ["words", "--file", "in.csv.gz", "--column", "name", "--output", "out.csv"]
    cut = judged(*arguments)
    assert (cut.exit_code, "is cut off" in cut.stderr) == (2, True)
    assert "rows are done; the same command with --resume goes on after them" in cut.stderr
    (folder / "in.csv.gz").write_bytes(whole)
    other = write_judge(folder, version=2, knows_bad=False)
    assert "the interrupted run had another judge" in judged(*arguments, "--resume").stderr
    shutil.rmtree(other)
    assert judged(*arguments, "--resume").exit_code == 0
    assert judged(*arguments[:-1], "whole.csv").exit_code == 0
    assert (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_the_folders_are_those_that_a_server_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.model_fields["models"].default == DEFAULT_MODELS
    (folder / "models").rename(folder / "ours")
    assert judged("words", "hello").exit_code == 2
    monkeypatch.setenv("NEXTCHAR_MODELS", "ours")
    assert judged("words", "hello").exit_code == 0
    (folder / "elsewhere").mkdir()
    (folder / "judges").rename(folder / "elsewhere" / "ours")
    assert judged("words", "hello").exit_code == 2
    monkeypatch.setenv("NEXTCHAR_JUDGES", "elsewhere/ours")
    assert judged("words", "hello").exit_code == 0
    refused = judged("words", "hello", "--judges", "gone")
    assert (refused.exit_code, "judges folder 'gone' does not exist" in refused.stderr) == (2, True)


def test_a_judge_is_found_by_its_path_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_judge(folder / "other", name="others")
    assert judged("other/judges/others", "hello").exit_code == 0
    assert judged("other/judges/others/1", "hello").exit_code == 0
    monkeypatch.chdir(folder / "other" / "judges")
    assert judged("others", "hello").exit_code == 0


def test_a_folder_of_the_name_of_a_judge_does_not_hide_it(folder: Path) -> None:
    (folder / "words").mkdir()
    assert judged("words", "hello").exit_code == 0


def test_a_model_file_is_not_read_beyond_the_limit(folder: Path) -> None:
    os.truncate(folder / "models" / "lines" / "1" / "step-int8.onnx", MAX_MODEL_BYTES + 1)
    refused = judged("words", "hello")
    assert (refused.exit_code, "the limit of a model file is" in refused.stderr) == (2, True)


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
