"""Measures the scoring of a Parquet file: strings per second beside strings in memory, and resident memory.

    python -m benchmarks.scoring.tables --strings 10000000

Each figure comes from a process of its own, with all cores. Memory is the peak above what the process had
once its model was loaded and had scored, before pyarrow was imported.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from benchmarks.scoring.score import make_strings

_FOLDER, _MODEL = Path(".data/benchmark"), Path("models/domains")
_NUM_STRINGS = 10_000_000
_DISTINCT, _IN_MEMORY = 1_000_000, 500_000
_MIB = 2**20


def measure(num_strings: int = _NUM_STRINGS, *, rounds: int = 1) -> dict[str, float]:
    """Returns strings per second in memory and of a file, their ratio, and the file's memory in MiB."""
    path = write_strings(num_strings)
    in_memory, of_file, grown = [], [], []
    for _ in range(rounds):
        in_memory.append(_in_process("memory", path)["rate"])
        found = _in_process("file", path)
        of_file.append(found["rate"])
        grown.append(found["grown"])
        in_memory.append(_in_process("memory", path)["rate"])
    memory, file = statistics.median(in_memory), statistics.median(of_file)
    return {
        "strings": num_strings,
        "in memory": memory,
        "Parquet": file,
        "Parquet ÷ in memory": file / memory,
        "MiB above start": max(grown),
    }


def write_strings(num_strings: int) -> Path:
    """Writes a Parquet file of strings, with a number beside each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = _FOLDER / f"strings-{num_strings}.parquet"
    if path.exists():
        return path
    _FOLDER.mkdir(parents=True, exist_ok=True)
    strings = make_strings(min(num_strings, _DISTINCT))
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema) as writer:
        for first in range(0, num_strings, len(strings)):
            # No two rows are alike: a row that was scored before in the same batch would cost nothing.
            ids = range(first, min(first + len(strings), num_strings))
            names = [f"{text}{i // len(strings) or ''}" for i, text in zip(ids, strings, strict=False)]
            writer.write_table(pa.table({"id": ids, "name": names}, schema=schema))
    partial.replace(path)
    return path


def _in_process(what: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scoring.tables", "--measure", what, "--file", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _memory(path: Path) -> dict[str, float]:
    import pyarrow.parquet as pq

    import nextchar

    strings = pq.ParquetFile(path).read_row_group(0, columns=["name"])["name"].to_pylist()[:_IN_MEMORY]
    with nextchar.load(_MODEL) as model:
        model.score(strings[:100])
        started = time.perf_counter()
        with closing(model.score_batches(strings)) as answers:
            num = sum(len(answer.data) for answer in answers)
        return {"rate": num / (time.perf_counter() - started)}


def _file(path: Path) -> dict[str, float]:
    from nextchar.batch.scores import ScoreAnnotator
    from nextchar.entrypoints.commands.table_options import TableArguments, annotate_file

    arguments = TableArguments(column="name", output=str(path.with_name("scored.parquet")), overwrite=True)
    annotator = ScoreAnnotator(str(_MODEL))
    with annotator.open() as opened:
        opened.annotate(make_strings(4096))
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, started = _status("VmRSS"), time.perf_counter()
    with path.open("rb") as file:
        annotate_file(annotator, file, arguments, "utf-8")
    seconds = time.perf_counter() - started
    return {"rate": _num_rows(path) / seconds, "grown": (_status("VmHWM") - before) / _MIB}


def _num_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(path).metadata.num_rows)


def _status(name: str) -> int:
    """Returns a figure of this process in bytes, as /proc has it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring.tables", description=__doc__)
    parser.add_argument("--strings", type=int, default=_NUM_STRINGS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--measure", choices=["memory", "file"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps({"memory": _memory, "file": _file}[arguments.measure](arguments.file)))
        return
    for name, value in measure(arguments.strings, rounds=arguments.rounds).items():
        print(f"{name:30}{value:14,.2f}")


if __name__ == "__main__":
    main()
