import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from nextchar_training.commands.train import train
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint

_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 1 --batch-size 4 --window 16"
_TINY = [*_NETWORK.split(), "--num-threads", "1", "--precision", "float32", "--evaluations", "2"]


def _train(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(train, [*arguments, "--output", str(tmp_path / "runs")])


def _tiny(tmp_path: Path, corpus: Path, *arguments: str) -> Result:
    return _train(tmp_path, "--corpus", str(corpus), "--name", "tiny", *_TINY, *arguments)


def test_a_run_says_its_forecast_its_losses_and_its_held_out_figures(tmp_path: Path, text_file: Path) -> None:
    result = _tiny(tmp_path, text_file, "--steps", "4")
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert re.match(r"forecast: [\d,]+ chars/s, 4 steps, ", lines[0])
    assert [line.split()[2:4] for line in lines if line.startswith("held out")] == [
        ["network", "stream"],
        ["network", "window-256"],
        ["kneser-ney-7", "stream"],
        ["kneser-ney-7", "window-256"],
        ["zlib-9", "stream"],
        ["bzip2-9", "stream"],
        ["xz-9", "stream"],
    ]
    assert "the network LOSES to the 7-gram" in lines[-2]
    assert lines[-1] == f"report: {tmp_path / 'runs' / 'tiny' / 'report.html'}"


@pytest.mark.parametrize(("steps", "minutes", "by_time"), [(3, 9.0, False), (10**9, 0.01, True)])
def test_steps_and_minutes_end_a_run_with_what_comes_first(
    tmp_path: Path, text_file: Path, steps: int, minutes: float, by_time: bool
) -> None:
    result = _tiny(tmp_path, text_file, "--steps", str(steps), "--max-minutes", str(minutes))
    assert result.exit_code == 0, result.output
    saved = load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)
    step_count, _, elapsed_s = saved["trainer"]["progress"]
    assert (elapsed_s >= 60 * minutes, step_count == steps) == (by_time, not by_time)


@pytest.mark.parametrize(("gain", "precision"), [(0.7, "float32"), (2.0, "bf16")])
def test_auto_is_the_precision_that_is_faster_here(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch, gain: float, precision: str
) -> None:
    monkeypatch.setattr("nextchar_training.commands.train.bf16_gain", lambda: gain)
    assert _tiny(tmp_path, text_file, "--steps", "1", "--precision", "auto").exit_code == 0
    assert load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)["config"]["precision"] == precision


@pytest.mark.parametrize(
    ("arguments", "rate"),
    [("--cell lstm", 3e-3), ("--cell gru", 1.5e-3), ("--cell gru --learning-rate 0.01", 0.01)],
)
def test_a_gru_learns_at_half_the_rate_unless_told(
    tmp_path: Path, text_file: Path, arguments: str, rate: float
) -> None:
    assert _tiny(tmp_path, text_file, "--steps", "1", *arguments.split()).exit_code == 0
    assert load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)["config"]["learning_rate"] == rate


def test_the_forecast_does_not_disturb_the_run(tmp_path: Path, text_file: Path) -> None:
    weights = []
    for name in ("one", "two"):
        arguments = ["--corpus", str(text_file), "--name", name, *_TINY, "--steps", "3"]
        assert _train(tmp_path, *arguments).exit_code == 0
        weights.append(load_checkpoint(tmp_path / "runs" / name / FILE_NAME)["trainer"]["weights"])
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("unit", ["text", "line"])
def test_an_ngram_is_counted_written_and_reported(tmp_path: Path, text_file: Path, unit: str) -> None:
    options = ["--corpus", str(text_file), "--name", "n", "--cell", "ngram", "--order", "3", "--unit", unit]
    result = _train(tmp_path, *options)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "n"
    assert result.stderr.startswith("held out: kneser-ney-3")
    assert "\\3-grams:" in (folder / "ngram.arpa").read_text()
    page = (folder / "report.html").read_text()
    assert "split_sha256" in page
    assert "bits" in page
    again = _train(tmp_path, *options)
    assert (again.exit_code, "holds a run already" in again.stderr) == (2, True)


def test_scalars_for_tensorboard_are_written_if_asked_for(tmp_path: Path, text_file: Path) -> None:
    _tiny(tmp_path, text_file, "--steps", "2")
    assert not (tmp_path / "runs" / "tiny" / "tensorboard").exists()
    shutil.rmtree(tmp_path / "runs")
    assert _tiny(tmp_path, text_file, "--steps", "2", "--tensorboard").exit_code == 0
    (events,) = (tmp_path / "runs" / "tiny" / "tensorboard").iterdir()
    content = events.read_bytes()
    for tag in ("loss/train", "loss/development", "learning_rate", "gradient_norm/before_clipping"):
        assert tag.encode() in content


def test_the_recorded_command_has_no_path(tmp_path: Path, text_file: Path) -> None:
    _tiny(tmp_path, text_file, "--steps", "1")
    saved = load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)
    assert saved["provenance"]["command"].startswith("nextchar train --corpus words.txt --name tiny ")
    assert "/" not in saved["provenance"]["command"]


def test_a_finished_run_resumed_reports_again(tmp_path: Path, text_file: Path) -> None:
    first = _tiny(tmp_path, text_file, "--steps", "2")
    again = _train(tmp_path, "--name", "tiny", "--resume")
    assert again.exit_code == 0
    report = first.stderr[first.stderr.index("held out") :]
    assert again.stderr == report


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--corpus", "absent.txt", "--name", "x"], "(is 'absent.txt')"),
        (["--name", "x", "--resume"], "no checkpoint at"),
        (["--name", "x"], "Missing option '--corpus'"),
        (
            ["--corpus", "x", "--name", "x", "--steps", "1", "--epochs", "2"],
            "give one of --epochs and --steps",
        ),
        (["--corpus", "x", "--name", "../x"], "letters, digits"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_no_traceback(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    result = _train(tmp_path, *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr.splitlines()[-1]
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "runs").exists()


def test_resume_or_start_begins_a_run_and_then_goes_on_with_it(tmp_path: Path, text_file: Path) -> None:
    first, again = (_tiny(tmp_path, text_file, "--steps", "2", "--resume-or-start") for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert again.stderr == first.stderr[first.stderr.index("held out") :]


def test_a_run_is_not_overwritten_and_not_changed_on_resume(tmp_path: Path, text_file: Path) -> None:
    _tiny(tmp_path, text_file, "--steps", "1")
    assert "holds a run already" in _tiny(tmp_path, text_file, "--steps", "1").stderr
    changed = _train(tmp_path, "--name", "tiny", "--resume", "--seed", "5")
    assert changed.exit_code == 2
    assert "--seed cannot change on --resume: the run has 0" in changed.stderr


def test_a_run_of_a_device_that_is_not_here_goes_on_only_where_it_is_told_to(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tiny(tmp_path, text_file, "--steps", "2", "--device", "cpu")
    path = tmp_path / "runs" / "tiny" / FILE_NAME
    saved = load_checkpoint(path)
    save_checkpoint(path, saved | {"config": saved["config"] | {"device": "cuda:0"}})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    auto = _train(tmp_path, "--name", "tiny", "--resume")
    assert (auto.exit_code, auto.stderr) == (
        2,
        "Error: device must be cpu here (is cuda): torch finds no CUDA device\n",
    )
    assert _train(tmp_path, "--name", "tiny", "--resume", "--device", "cpu").exit_code == 0
    assert load_checkpoint(path)["config"]["device"] == "cpu"


def _interrupt(tmp_path: Path, text_file: Path, number: signal.Signals, *length: str) -> tuple[int, str]:
    """Run in a process of its own and send it a signal after the second evaluation; code and later output."""
    command = [sys.executable, "-m", "nextchar_training.commands.train", "--corpus", str(text_file)]
    command += ["--name", "tiny", *_TINY, *length, "--output", str(tmp_path / "runs")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        first = [process.stderr.readline() for _ in range(3)]
        process.send_signal(number)
        rest = process.stderr.read()
    assert ["forecast" in first[0], "development" in first[1], "development" in first[2]] == [True] * 3
    return process.returncode, rest


def test_a_signal_stops_a_run_at_a_checkpoint_that_resumes(tmp_path: Path, text_file: Path) -> None:
    length = ["--max-minutes", "9", "--evaluations", "500"]
    code, rest = _interrupt(tmp_path, text_file, signal.SIGTERM, *length)
    assert code == 128 + signal.SIGTERM
    assert "stopped; continue with: nextchar train --name tiny --resume" in rest
    assert load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)["trainer"]["progress"][0] > 0


def test_a_killed_run_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, text_file: Path) -> None:
    length = ["--steps", "400", "--evaluations", "40", "--dropout", "0.3", "--input-noise", "0.1"]
    code, _ = _interrupt(tmp_path, text_file, signal.SIGKILL, *length)
    assert code == -signal.SIGKILL
    path = tmp_path / "runs" / "tiny" / FILE_NAME
    assert 0 < load_checkpoint(path)["trainer"]["progress"][0] < 400
    assert _train(tmp_path, "--name", "tiny", "--resume").exit_code == 0
    killed = load_checkpoint(path)
    shutil.rmtree(path.parent)
    assert _tiny(tmp_path, text_file, *length).exit_code == 0
    whole = load_checkpoint(path)
    assert killed["quality"] == whole["quality"]
    for part in ("weights", "average", "optimizer", "generator", "state", "batches"):
        assert _same(killed["trainer"][part], whole["trainer"][part]), part


def _same(a: Any, b: Any) -> bool:
    """Whether two nests of plain values are equal, tensors bit for bit."""
    if isinstance(a, torch.Tensor):
        return a.equal(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)
