import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from support.tiny_runs import write_words

from nextchar_training.commands.train import train
from nextchar_training.run import run as run_module
from nextchar_training.run.checkpoint import (
    FILE_NAME,
    load_checkpoint,
    save_checkpoint,
)
from nextchar_training.run.step import Trainer

_KILLED = """
import os, signal
from nextchar_training.commands.train import train
from nextchar_training.run.step import Trainer

step = Trainer.step

def killed(trainer):
    if trainer.progress.step_count == 25:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(trainer)

Trainer.step = killed
train()
"""
_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 1 --batch-size 4 --window 16"
_TINY = [*_NETWORK.split(), "--num-threads", "1", "--precision", "float32", "--evaluations", "2"]


def _train(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(train, [*arguments, "--output", str(tmp_path / "runs"), "--no-export"])


def _tiny(tmp_path: Path, corpus: Path, *arguments: str) -> Result:
    return _train(tmp_path, "--corpus", str(corpus), "--name", "tiny", *_TINY, *arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of four steps in a folder that no test changes, and what it said."""
    folder = tmp_path_factory.mktemp("done")
    result = _tiny(folder, write_words(folder), "--steps", "4", "--resume-or-start")
    assert result.exit_code == 0, result.output
    return folder, result


@pytest.fixture
def copied(done: tuple[Path, Result], tmp_path: Path) -> Path:
    """The checkpoint of that run in a folder of its own, under `tmp_path`."""
    return Path(shutil.copytree(done[0] / "runs" / "tiny", tmp_path / "runs" / "tiny")) / FILE_NAME


def test_a_run_says_its_forecast_its_losses_and_its_held_out_figures(done: tuple[Path, Result]) -> None:
    folder, result = done
    lines = result.stderr.splitlines()
    assert lines[0].startswith("words.txt: ")
    assert "reading it as running text" in lines[1]
    assert lines[2].startswith(f"the same as: nextchar train {folder / 'words.txt'} --name tiny ")
    assert re.match(r"forecast: [\d,]+ chars/s, 4 steps, ", lines[3])
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
    assert lines[-1] == f"report: {folder / 'runs' / 'tiny' / 'report.html'}"


def test_the_recorded_command_has_no_path(copied: Path) -> None:
    command = load_checkpoint(copied)["provenance"]["command"]
    assert command.startswith("nextchar train words.txt ")
    assert "/" not in command


@pytest.mark.parametrize("flag", ["--resume", "--resume-or-start"])
def test_a_finished_run_resumed_reports_again(
    done: tuple[Path, Result], copied: Path, tmp_path: Path, flag: str
) -> None:
    again = _train(tmp_path, "--name", "tiny", flag)
    assert again.exit_code == 0
    said = done[1].stderr
    assert again.stderr == said[said.index("held out: ") :].replace(str(done[0]), str(tmp_path))
    assert load_checkpoint(copied)["trainer"]["progress"][0] == 4


def test_a_run_is_not_overwritten_and_not_changed_on_resume(
    done: tuple[Path, Result], copied: Path, tmp_path: Path
) -> None:
    before = copied.read_bytes()
    assert "holds a run already" in _tiny(tmp_path, done[0] / "words.txt", "--steps", "1").stderr
    changed = _train(tmp_path, "--name", "tiny", "--resume", "--seed", "5")
    assert changed.exit_code == 2
    assert "--seed cannot change on --resume: the run has 0" in changed.stderr
    assert copied.read_bytes() == before


def test_a_run_of_a_device_that_is_not_here_goes_on_only_where_it_is_told_to(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = load_checkpoint(copied)
    save_checkpoint(copied, saved | {"config": saved["config"] | {"device": "cuda:0"}})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    auto = _train(tmp_path, "--name", "tiny", "--resume")
    assert (auto.exit_code, auto.stderr) == (
        2,
        "Error: device must be cpu here (is cuda): torch finds no CUDA device\n",
    )
    assert _train(tmp_path, "--name", "tiny", "--resume", "--device", "cpu").exit_code == 0
    assert load_checkpoint(copied)["config"]["device"] == "cpu"


def test_the_forecast_does_not_disturb_the_run_and_scalars_are_written_if_asked_for(
    done: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextchar_training.commands.train.measure_step_s", lambda _trainer: 1.0)
    assert _tiny(tmp_path, done[0] / "words.txt", "--steps", "4", "--tensorboard").exit_code == 0
    forecast, none = (
        load_checkpoint(folder / "runs" / "tiny" / FILE_NAME)["trainer"] for folder in (done[0], tmp_path)
    )
    assert all(forecast["weights"][name].equal(none["weights"][name]) for name in none["weights"])
    assert not (done[0] / "runs" / "tiny" / "tensorboard").exists()
    (events,) = (tmp_path / "runs" / "tiny" / "tensorboard").iterdir()
    content = events.read_bytes()
    for tag in ("loss/train", "loss/development", "learning_rate", "gradient_norm/before_clipping"):
        assert tag.encode() in content


@pytest.mark.parametrize(("steps", "minutes", "expected"), [(3, 9.0, 3), (10**9, 0.1, 6), (6, 0.1, 6)])
def test_steps_and_minutes_end_a_run_with_what_comes_first(
    tmp_path: Path,
    text_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    minutes: float,
    expected: int,
) -> None:
    """By the clock of this test a step takes a second."""
    clock = SimpleNamespace(monotonic=count().__next__)
    monkeypatch.setattr(run_module, "time", clock)
    result = _tiny(tmp_path, text_file, "--steps", str(steps), "--max-minutes", str(minutes))
    assert result.exit_code == 0, result.output
    saved = load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)
    step_count, _, elapsed_s = saved["trainer"]["progress"]
    assert (step_count, elapsed_s) == (expected, expected)


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


@pytest.mark.parametrize("unit", ["text", "line"])
def test_an_ngram_is_counted_written_and_reported(tmp_path: Path, text_file: Path, unit: str) -> None:
    options = ["--corpus", str(text_file), "--name", "n", "--cell", "ngram", "--order", "3", "--unit", unit]
    result = _train(tmp_path, *options)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "runs" / "n"
    assert "\nheld out: kneser-ney-3" in result.stderr
    assert "\\3-grams:" in (folder / "ngram.arpa").read_text()
    page = (folder / "report.html").read_text()
    assert "split_sha256" in page
    assert "bits" in page
    again = _train(tmp_path, *options)
    assert again.exit_code == 2
    assert again.stderr.endswith(f"{folder} holds an n-gram model already: choose another --name\n")
    assert "--resume is for networks" in _train(tmp_path, *options, "--resume").stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--corpus", "absent.txt", "--name", "x"], "(is 'absent.txt')"),
        (["--name", "x", "--resume"], "no checkpoint at"),
        (["--name", "x"], "which text? nextchar train FILE"),
        (
            ["--corpus", "x", "--name", "x", "--steps", "1", "--epochs", "2"],
            "give one of --epochs and --steps",
        ),
        (["names", "--name", "x", "--split", "document"], "--split document is for running text"),
        (["--corpus", "x", "--name", "../x"], "must be 1 to 128 characters"),
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


def test_a_signal_stops_a_run_at_a_checkpoint_that_resumes(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM comes in the middle of step 25; without a handler the one of this test would be called."""
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the run notes no SIGTERM"))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "step", _signalling(Trainer.step, 24, signal.SIGTERM))
            stopped = _tiny(tmp_path, text_file, "--steps", "40", "--evaluations", "4")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped.exit_code == 128 + signal.SIGTERM
    assert stopped.stderr.count("development") == 2
    assert (
        "stopped; continue with: nextchar train --resume --no-export --name tiny --output" in stopped.stderr
    )
    path = tmp_path / "runs" / "tiny" / FILE_NAME
    assert load_checkpoint(path)["trainer"]["progress"][0] == 25
    assert _train(tmp_path, "--name", "tiny", "--resume").exit_code == 0
    assert load_checkpoint(path)["trainer"]["progress"][0] == 40


def _signalling(
    step: Callable[[Trainer], float], step_count: int, number: signal.Signals
) -> Callable[[Trainer], float]:
    """A step that sends its own process a signal after so many others."""

    def signalling(self: Trainer) -> float:
        if self.progress.step_count == step_count:
            os.kill(os.getpid(), number)
        return step(self)

    return signalling


def test_a_killed_run_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, text_file: Path) -> None:
    """A process of its own is killed at step 25, five steps after its checkpoint."""
    options = ["--dropout", "0.3", "--input-noise", "0.1", "--steps", "40", "--evaluations", "4"]
    given = ["--corpus", str(text_file), "--name", "tiny", *_TINY, *options]
    command = [sys.executable, "-c", _KILLED, *given, "--output", str(tmp_path / "runs")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    path = tmp_path / "runs" / "tiny" / FILE_NAME
    assert load_checkpoint(path)["trainer"]["progress"][0] == 20
    assert _train(tmp_path, "--name", "tiny", "--resume").exit_code == 0
    killed = load_checkpoint(path)
    shutil.rmtree(path.parent)
    assert _tiny(tmp_path, text_file, *options).exit_code == 0
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
