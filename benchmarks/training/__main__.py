"""Measures `nextchar train FILE` and nothing else: the network beside the 7-gram on what is held out.

The texts are made from installed packages, or given. Each is trained on with all defaults, in a process of
its own, one after another; a text takes up to a quarter of an hour on two cores, of which nothing else should
run on. A run that was stopped is resumed.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.training.texts import make_texts
from nextchar_training.commands.run_text import run_name
from nextchar_training.measure.figures import NETWORK, NGRAM
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint

_TRAIN = "from nextchar.entrypoints.main import main; main()"
_HEADER = ("text", "network", "7-gram", "better by", "passes", "minutes", "in all")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("texts", nargs="*", help="files or folders, or names of the made ones; all of those")
    parser.add_argument("--folder", type=Path, default=Path(".data/defaults"), help="folder for all files")
    parser.add_argument("--results", type=Path, help="JSON file to which the figures are added")
    parser.add_argument("--only-make", action="store_true", help="write the texts and train on none")
    arguments = parser.parse_args()
    made = make_texts(arguments.folder / "texts")
    if arguments.only_make:
        return
    chosen = [made.get(text, Path(text)) for text in arguments.texts] or list(made.values())
    print(_row(_HEADER))
    found = {path.name: measure(path, arguments.folder) for path in chosen}
    if arguments.results is not None:
        known = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
        arguments.results.write_text(json.dumps(known | found, indent=1) + "\n")


def measure(text: Path, folder: Path) -> dict[str, Any]:
    """Trains on a text with the defaults, prints a row of the table and returns its figures."""
    started = time.monotonic()
    options = ["--output", str(folder / "runs"), "--models", str(folder / "models"), "--resume-or-start"]
    subprocess.run([sys.executable, "-c", _TRAIN, "train", str(text), *options], check=True)
    saved = load_checkpoint(folder / "runs" / run_name(str(text)) / FILE_NAME)
    nats = {
        entry["name"]: entry["nats_per_char"]
        for entry in saved["quality"]
        if entry["protocol"] in ("stream", "line")
    }
    made = saved["provenance"]
    figures = {
        "network": round(nats[NETWORK], 4),
        "7-gram": round(nats[NGRAM], 4),
        "better by": round(nats[NGRAM] - nats[NETWORK], 4),
        "passes": made["epochs"],
        "minutes": made["minutes"],
        "in all": round((time.monotonic() - started) / 60, 1),
    }
    print(_row((text.name, *figures.values())), flush=True)
    return {**figures, "command": made["command"], "commit": made["commit"]}


def _row(cells: tuple[Any, ...]) -> str:
    return f"{cells[0]:20}" + "".join(f"{cell!s:>10}" for cell in cells[1:])


if __name__ == "__main__":
    main()
