"""Measures a recipe of docs/judging.md beside what people use now, on the same held-out strings.

    python -m benchmarks.quality.recipes signups
    python -m benchmarks.quality.recipes domains --lists FOLDER

The packages compared are installed when they are first needed, each into an environment of its own in the
folder of --environments (their pins: benchmarks/quality/recipes/peers/peers.txt). What nextchar writes, and
every list that was made, is in the folder of --folder; a judge or a model that is there already is used
again.
"""

import argparse
import json
from pathlib import Path

from benchmarks.quality.judging import REAL_DOMAINS
from benchmarks.quality.recipes import domains, logs, passwords, secrets, signups
from benchmarks.quality.recipes.environments import DEFAULT_FOLDER, Environments
from benchmarks.quality.recipes.trial import Table
from benchmarks.servers import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.recipes", description=__doc__)
    parser.add_argument("name", choices=["domains", "signups", "secrets", "passwords", "logs"])
    parser.add_argument("--lists", type=Path, help="folder of lists of domains, as that of make judging")
    parser.add_argument("--folder", type=Path, default=Path(".data/recipes"), help="folder for what is made")
    parser.add_argument("--environments", type=Path, default=DEFAULT_FOLDER, help="folder of environments")
    parser.add_argument("--max-minutes", type=float, default=5.0, help="how long a model is trained")
    parser.add_argument("--results", type=Path, help="JSON file to write the figures to")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute() / arguments.name
    folder.mkdir(parents=True, exist_ok=True)
    environments = Environments(arguments.environments.absolute())
    table = _measure(arguments, folder, environments)
    table.show()
    if arguments.results:
        arguments.results.write_text(json.dumps(table.rows, indent=1) + "\n")


def _measure(arguments: argparse.Namespace, folder: Path, environments: Environments) -> Table:
    name, minutes = arguments.name, arguments.max_minutes
    if name == "domains":
        if arguments.lists is None or not (arguments.lists / REAL_DOMAINS).is_file():
            told = f"--lists, a folder with {REAL_DOMAINS} and a list for each family"
            raise SystemExit(f"the recipe domains needs {told} (is {arguments.lists})")
        return domains.measure(folder, environments, arguments.lists, ROOT / "models" / "domains" / "1")
    if name == "logs":
        return logs.measure(folder, environments, ROOT / "models" / "python")
    if name == "secrets":
        return secrets.measure(folder, environments, ROOT / "models" / "python")
    fitted = {"signups": signups.measure, "passwords": passwords.measure}
    return fitted[name](folder, environments, minutes)


if __name__ == "__main__":
    main()
