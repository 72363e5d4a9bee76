"""`python -m benchmarks`: measures side by side, prints tables, writes them as JSON."""

import argparse
import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import engine

_SIZES = ((128, 1), (256, 1), (512, 2))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--output", type=Path, default=Path(".data/benchmarks.json"))
    arguments = parser.parse_args()
    result: dict[str, object] = {"facts": _facts()}
    for hidden_size, num_layers in _SIZES:
        name = f"engine {num_layers}x{hidden_size}"
        found = result[name] = engine.measure(hidden_size, num_layers, rounds=arguments.rounds)
        _print_rates(name, found)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nwritten to {arguments.output}")


def _print_rates(title: str, found: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}: characters per second by number of lanes")
    print(f"{'':18}" + "".join(f"{n:>12}" for n in found))
    for name in next(iter(found.values())):
        print(f"{name:18}" + "".join(f"{row[name]:12,.0f}" for row in found.values()))
    for top, bottom in (
        ("engine-int8", "step-int8"),
        ("step-int8", "roofline-int8"),
        ("step-int8", "lstm-operator"),
        ("step-int8", "torch"),
    ):
        ratios = "".join(f"{row[top] / row[bottom]:12.2f}" for row in found.values())
        print(f"{top} ÷ {bottom:16}" + ratios)


def _facts() -> dict[str, str]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


if __name__ == "__main__":
    main()
