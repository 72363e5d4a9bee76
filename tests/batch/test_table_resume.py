"""An interrupted run goes on where it stopped, and what it writes is what an uninterrupted run writes."""

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until
from tables import run, score_file

_MAIN = "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
NUM_ROWS = 14_000  # four batches of rows, of which an interrupted run has done two
LINES = "".join(f"{i:x}\n" for i in range(NUM_ROWS)).encode()
OUTPUTS = ["out.csv", "out.csv.gz", "out.jsonl.zst", "out.parquet", "out.tsv.xz", "out.txt.bz2"]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", _MAIN, "score", *map(str, arguments)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    (tmp_path / "in.txt").write_bytes(LINES)
    return tmp_path / "in.txt"


def interrupt(models: Path, folder: Path, output: Path, *more: object) -> None:
    """Leaves a run that has done a part of the rows: its input ends too early."""
    packed = gzip.compress(LINES)
    (folder / "cut.gz").write_bytes(packed[: int(len(packed) * 0.6)])
    done = run(models / "tiny", "--file", folder / "cut.gz", "--output", output, *more)
    assert done.exit_code == 2, done.output
    assert not output.exists()


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_resumed_output_has_the_bytes_of_an_uninterrupted_one(
    models: Path, tmp_path: Path, whole: Path, name: str
) -> None:
    (tmp_path / "expected").mkdir()
    score_file(models / "tiny", whole, tmp_path / "expected" / name)
    interrupt(models, tmp_path, tmp_path / name)
    done = score_file(models / "tiny", whole, tmp_path / name, "--resume")
    assert f"{NUM_ROWS:,} rows, 8,192 of them before" in done.stderr
    assert (tmp_path / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()


@pytest.mark.parametrize("cut", [1, 100, 100_000])
def test_a_record_that_was_not_written_to_its_end_is_computed_again(
    models: Path, tmp_path: Path, whole: Path, cut: int
) -> None:
    score_file(models / "tiny", whole, tmp_path / "expected.csv")
    interrupt(models, tmp_path, tmp_path / "out.csv")
    journal = tmp_path / "out.csv.progress"
    os.truncate(journal, max(10, journal.stat().st_size - cut))
    score_file(models / "tiny", whole, tmp_path / "out.csv", "--resume")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_bad_rows_are_told_again_by_a_resumed_run(models: Path, tmp_path: Path) -> None:
    bad = LINES.replace(b"\n1f\n", b"\n\xff\n", 1)
    (tmp_path / "in.txt").write_bytes(bad)
    packed = gzip.compress(bad)
    (tmp_path / "cut.gz").write_bytes(packed[: int(len(packed) * 0.6)])
    options = [models / "tiny", "--output", tmp_path / "out.csv"]
    assert run(*options, "--file", tmp_path / "cut.gz").exit_code == 2
    done = run(*options, "--file", tmp_path / "in.txt", "--resume")
    assert "1 bad row: line 32 is not UTF-8: it has the byte 0xff" in done.stderr


def test_a_run_is_only_resumed_with_what_it_was_given(models: Path, tmp_path: Path, whole: Path) -> None:
    output = tmp_path / "out.csv"
    interrupt(models, tmp_path, output)
    options = ["--file", whole, "--output", output]
    assert "is of an interrupted run: go on with it by --resume" in run(models / "tiny", *options).stderr
    wrong = run(models / "tiny", *options, "--resume", "--context", "ab")
    assert "the interrupted run had another context" in wrong.stderr
    assert "had another model" in run(models / "lines", *options, "--resume").stderr
    whole.write_bytes(LINES.replace(b"\nff\n", b"\nFF\n"))
    other = run(models / "tiny", *options, "--resume")
    assert "the input is not that of the interrupted run: it differs between 1 and 4096" in other.stderr
    assert not output.exists()
    whole.write_bytes(LINES)  # what the interrupted run had done is still there
    assert "of them before" in score_file(models / "tiny", whole, output, "--resume").stderr
    score_file(models / "tiny", whole, output, "--overwrite")


def test_a_first_run_may_be_told_to_resume(models: Path, tmp_path: Path, whole: Path) -> None:
    score_file(models / "tiny", whole, tmp_path / "out.csv", "--resume")
    again = run(models / "tiny", "--file", whole, "--output", tmp_path / "out.csv", "--resume")
    assert "exists" in again.stderr


def test_a_file_that_is_no_journal_is_left_alone(models: Path, tmp_path: Path, whole: Path) -> None:
    (tmp_path / "out.csv.progress").write_text("my notes\n")
    done = run(models / "tiny", "--file", whole, "--output", tmp_path / "out.csv", "--resume")
    assert "is not of an interrupted run: remove it" in done.stderr
    assert (tmp_path / "out.csv.progress").read_text() == "my notes\n"


def running(models: Path, output: Path, *more: str) -> "subprocess.Popen[bytes]":
    """A run whose input is not at its end, which has written a part of its journal."""
    process = subprocess.Popen(
        command(models / "tiny", "--output", output, *more),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    process.stdin.write(LINES[: len(LINES) // 10 * 9])
    process.stdin.flush()
    journal = Path(f"{output}.progress")
    until(lambda: journal.exists() and journal.stat().st_size > 1000)
    return process


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_interrupted_or_killed_goes_on(
    models: Path, tmp_path: Path, whole: Path, stop: signal.Signals
) -> None:
    output = tmp_path / "out.csv"
    with running(models, output) as process:
        process.send_signal(stop)
        _, told = process.communicate()
    assert process.returncode == (130 if stop == signal.SIGINT else -stop)
    if stop == signal.SIGINT:
        lines = told.decode().splitlines()
        assert lines[0] == "Error: interrupted"
        assert lines[1].endswith("rows are done; the same command with --resume goes on after them")
        assert len(lines) == 2
        assert [p.name for p in tmp_path.glob("out*")] == ["out.csv.progress"]
    score_file(models / "tiny", whole, output, "--resume")
    score_file(models / "tiny", whole, tmp_path / "expected.csv")
    assert output.read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_two_runs_do_not_write_one_output(models: Path, tmp_path: Path, whole: Path) -> None:
    with running(models, tmp_path / "out.csv") as process:
        done = run(models / "tiny", "--file", whole, "--output", tmp_path / "out.csv", "--resume")
        process.kill()
        process.communicate()
    assert done.exit_code == 2
    assert "another run is writing" in done.stderr


@pytest.mark.parametrize(
    ("name", "num_blocks"), [*((name, 16) for name in OUTPUTS[:4]), ("out.csv", 1000), ("out.jsonl", 1000)]
)
def test_a_disk_that_becomes_full_loses_nothing(
    models: Path, tmp_path: Path, whole: Path, name: str, num_blocks: int
) -> None:
    (tmp_path / "expected").mkdir()
    score_file(models / "tiny", whole, tmp_path / "expected" / name)
    limited = ["/bin/sh", "-c", f'ulimit -f {num_blocks}; exec "$@"', "sh"]
    arguments: list[Any] = [models / "tiny", "--file", whole, "--output", tmp_path / name]
    done = subprocess.run(
        [*limited, *command(*arguments)], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == f"Error: {str(tmp_path / name)!r} cannot be written: File too large"
    assert lines[1].endswith("--resume goes on after them")
    assert len(lines) == 2
    assert not (tmp_path / name).exists()
    score_file(models / "tiny", whole, tmp_path / name, "--resume")
    assert (tmp_path / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()
