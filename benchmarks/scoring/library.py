"""Measures `model.logprobs` over 100,000 strings beside `nextchar score`, in turns, each in a new process.

The command line's rate includes its start, as its user waits for it. A notebook has loaded its model already,
so the rate of `model.logprobs` is that of the call alone; "with start" also counts the imports and the load.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.data import MODEL, write_data
from benchmarks.engine.network import Network
from benchmarks.scoring.score import NUM_STRINGS, command_line, make_strings


def measure(network: Network, folder: Path, *, rounds: int) -> dict[str, float]:
    """Returns strings per second of each, the median of rounds, and the median of the rounds' ratios."""
    strings = make_strings(NUM_STRINGS)
    data = write_data(network, folder)
    seen: dict[str, list[float]] = {}
    for _ in range(rounds):
        seen.setdefault("nextchar score", []).append(command_line(data, strings))
        for name, seconds in _library(data / "models" / MODEL, strings).items():
            seen.setdefault(name, []).append(len(strings) / seconds)
    pairs = zip(seen["model.logprobs"], seen["nextchar score"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return {name: statistics.median(rates) for name, rates in seen.items()} | {"logprobs ÷ score": ratio}


def _library(model: Path, strings: list[str]) -> dict[str, float]:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring.library", str(model)],
        input=json.dumps(strings),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    return {"model.logprobs": float(done.stdout), "with start": time.perf_counter() - started}


def main() -> None:
    """Scores the strings of standard input, a JSON list, and prints the seconds of the call."""
    import nextchar

    strings = json.load(sys.stdin)
    with nextchar.load(sys.argv[1]) as model:
        started = time.perf_counter()
        found = model.logprobs(strings)
        seconds = time.perf_counter() - started
    assert found.shape == (len(strings),)
    print(seconds)


if __name__ == "__main__":
    main()
