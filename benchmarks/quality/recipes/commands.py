"""Runs nextchar's commands as a user would, and shows them."""

import csv
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.quality.recipes.trial import Answer

_CODE = "from nextchar.entrypoints.main import main; main()"


def nextchar(folder: Path, *words: str, capture: bool = False) -> str:
    """Runs `nextchar` in a folder; returns what it prints if that is captured.

    Raises:
        CalledProcessError: it failed.
    """
    print(f"$ nextchar {shlex.join(words)}", flush=True)
    out = subprocess.PIPE if capture else None
    command = [sys.executable, "-c", _CODE, *words]
    done = subprocess.run(command, cwd=folder, stdout=out, text=True, check=True)
    return done.stdout or ""


def write_lines(file: Path, strings: list[str]) -> None:
    """Writes one string per line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{string}\n" for string in strings), encoding="utf-8")


def fitted_judge(folder: Path, name: str, normal: list[str], *options: str) -> None:
    """Fits a judge to normal strings in the folder, unless an earlier run left one there."""
    write_lines(folder / f"{name}-normal.txt", normal)
    if (folder / "judges" / name).exists():
        print(f"kept the judge in {folder / 'judges' / name}; remove it to fit it again")
        return
    nextchar(folder, "judge", "fit", "--normal", f"{name}-normal.txt", "--name", name, *options)


def judged(folder: Path, name: str, strings: list[str]) -> Answer:
    """Returns the p-values and verdicts of a fitted judge, asked by its command."""
    write_lines(folder / f"{name}-asked.txt", strings)
    output = f"{name}-judged.csv"
    nextchar(folder, "judge", name, "--file", f"{name}-asked.txt", "--output", output, "--overwrite")
    rows = read_rows(folder / output)
    flagged = np.array([row["is_flagged"].lower() == "true" for row in rows])
    return Answer(-np.log([float(row["p_value"]) for row in rows]), flagged)


def read_rows(file: Path) -> list[dict[str, str]]:
    """Reads the rows of a CSV file by the names of its columns."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
