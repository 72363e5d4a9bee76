"""Measures adaptive lanes: what they are worth on texts, and what they cost."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
import starlette.routing

from benchmarks.engine.adaptive import chart, nginx_log, quality, rates
from benchmarks.engine.measure import positive

# Modules of installed packages, which the models have not seen.
_TEXTS = [
    quality.Text("python", Path(module.__file__ or ""), 0, 10_000)
    for module in (starlette.routing, httpx._client)
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.adaptive", description=__doc__)
    told = "MODEL:PATH[:FIRST[:LAST]], a text and the model to read it with; may be given again"
    parser.add_argument("--text", action="append", default=[], type=quality.Text.parse, help=told)
    parser.add_argument(
        "--rounds", type=positive, default=5, help="number of rounds; the median of them counts"
    )
    parser.add_argument("--no-rates", action="store_true", help="measure texts only")
    parser.add_argument("--output", type=Path, default=Path(".data/adaptive.json"), help="JSON file to write")
    parser.add_argument("--chart", type=Path, help="SVG file for bits per character by position")
    arguments = parser.parse_args()
    for path in (arguments.output, arguments.chart or arguments.output):
        path.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"texts": []}
    with tempfile.TemporaryDirectory() as folder:
        for text in [*arguments.text, *_TEXTS, *_logs(Path(folder))]:
            result["texts"].append(figures := quality.measure(text))
            _show({name: value for name, value in figures.items() if not isinstance(value, list)})
    if arguments.chart is not None:
        chart.draw(result["texts"], arguments.chart)
    if not arguments.no_rates:
        prose = _TEXTS[0].path.read_text()
        result["rates"] = rates.measure(prose, arguments.rounds)
        _show(result["rates"])
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def _logs(folder: Path) -> list[quality.Text]:
    """Returns the log of a real daemon, if it is installed."""
    log = nginx_log.make(folder)
    if log is None:
        print("no log of nginx: nginx is not installed (Debian: apt install nginx-light)\n")
        return []
    return [quality.Text("python", log)]


def _show(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        print(f"{name:45}", f"{value:.4g}" if isinstance(value, float) else value)
    print()


if __name__ == "__main__":
    main()
