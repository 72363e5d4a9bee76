"""Plans many nodes on paper, from the unit costs of one machine: `python -m benchmarks.scale`.

`--write` puts the tables into docs/scale.md. Every assumption is an option.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from benchmarks.engine.markdown import replaced
from benchmarks.scale.plan import Assumptions, tables
from benchmarks.scale.units import RESULTS, UnitCosts

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
USUAL = RESULTS / "no-amx.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=USUAL, help="a file of benchmarks/results")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    for field in fields(Assumptions):
        default = getattr(Assumptions(), field.name)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(default), default=default)
    told = parser.parse_args()
    chosen = Assumptions(**{field.name: getattr(told, field.name) for field in fields(Assumptions)})
    page = PAGE.read_text()
    for name, text in tables(UnitCosts(told.results), chosen).items():
        print(f"{name}\n\n{text}")
        page = replaced(page, name, text)
    if told.write:
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
