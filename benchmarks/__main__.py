"""Runs the benchmarks: measures contenders side by side, prints tables, writes them as JSON and a chart."""

import argparse
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import (
    chart,
    cold_start,
    latency,
    memory,
    page,
    serve,
    sessions,
    trips,
)
from benchmarks.engine import engine
from benchmarks.engine.measure import positive
from benchmarks.engine.network import make_network
from benchmarks.quality import domains
from benchmarks.scale import replicas, store
from benchmarks.scoring import kenlm, library, score, tables
from benchmarks.training import speed, threads

_SIZES = ((128, 1), (256, 1), (512, 2))
_PARTS = ("engine", "serve", "peers", "score", "latency")
_MORE = (
    "memory",
    "training",
    "threads",
    "domains",
    "sessions",
    "trips",
    "page",
    "start",
    "library",
    "tables",
    "replicas",
    "store",
)
_DOMAINS = Path("models/domains")
_FOLDER = Path(".data/benchmark")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parts = f"parts to run, of {', '.join((*_PARTS, *_MORE))}; by default the first {len(_PARTS)}"
    parser.add_argument("parts", nargs="*", help=parts)
    parser.add_argument(
        "--rounds", type=positive, default=5, help="number of rounds; the median of them counts"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(".data/benchmarks.json"),
        help="JSON file for the figures; those of parts not run stay in it",
    )
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    output: Path = arguments.output
    result: dict[str, Any] = json.loads(output.read_text()) if output.exists() else {"facts": {}}
    for part in arguments.parts or _PARTS:
        result["facts"][part] = _facts()  # parts may be measured in different runs
        result |= _run(part, arguments.rounds)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    if set(_PARTS) <= set(result["facts"]):
        chart.draw(result, arguments.output.with_suffix(".png"))
    print(f"\nFigures written to {arguments.output}.")


def _run(part: str, rounds: int) -> dict[str, Any]:
    if part == "engine":
        return _engine(rounds)
    network = make_network(512, 2)
    if part == "serve":
        found = serve.measure_ours(network, _FOLDER, rounds=rounds, seconds=3)
        _print_rates("completions over sockets: characters per second by number of clients", found)
        names = ("http-streamed", "http-whole", "grpc-streamed")
        _print_ratios(found, [(name, "engine") for name in names])
        return {"serve": found}
    if part == "peers":
        peers = serve.measure_peers(network, _FOLDER, rounds=rounds, seconds=5)
        _print_peers(peers)
        return {"peers": peers}
    if part in ("score", "library", "tables"):
        return _scoring(part, rounds)
    if part == "latency":
        waits = latency.measure(network, _FOLDER, rounds=rounds, seconds=3)
        _print_rates("latency of one client: milliseconds", waits, digits=2)
        return {"latency": waits}
    if part == "memory":
        grown = memory.measure(network, _FOLDER)
        _print_row("resident memory", grown)
        return {"memory": grown}
    if part in ("training", "threads"):
        return _training(part, rounds)
    if part in ("sessions", "store", "replicas"):
        return _scale(part, rounds)
    if part == "trips":
        of_calls = trips.measure(network, _FOLDER, rounds=rounds, seconds=2)
        _print_rates("calls of one client that take turns, by session store", of_calls, digits=3)
        return {"trips": of_calls}
    if part == "page":
        if not page.installed():
            raise SystemExit("no browser is installed: run make tools and install Debian's chromium")
        waits_of_page = page.measure(rounds=rounds)
        _print_row("400 keys at 30 per second into 5,000 characters of the page: milliseconds", waits_of_page)
        held_up = page.longest_tasks(rounds=rounds)
        _print_row("10,000 strings pasted into the page: milliseconds", held_up)
        return {"page": waits_of_page | held_up}
    if part == "start":
        start = cold_start.measure(_FOLDER, rounds=rounds)
        _print_row("from process start to ready", start)
        return {"start": start}
    if part == "domains":
        areas = domains.measure(max(_DOMAINS.iterdir(), key=lambda folder: int(folder.name)))
        _print_rates("area under ROC: real domains against generated ones", areas, digits=4)
        return {"domains": areas}
    raise SystemExit(f"part must be one of {', '.join((*_PARTS, *_MORE))} (part is {part})")


def _training(part: str, rounds: int) -> dict[str, Any]:
    if part == "training":
        speeds = speed.measure(rounds=rounds)
        _print_row("training a 2 × 512 LSTM: characters per second", speeds)
        return {"training": speeds}
    beside = threads.measure(rounds=rounds)
    _print_rates("training alone and beside one busy process: characters per second", beside)
    return {"threads": beside}


def _scale(part: str, rounds: int) -> dict[str, Any]:
    if part == "sessions":
        idle = sessions.measure(_FOLDER)
        _print_row("idle sessions of the shipped LSTM in SQLite", idle)
        return {"sessions": idle}
    if part == "store":
        of_store = store.measure(_FOLDER, rounds=rounds, seconds=3)
        _print_row("sessions of the shipped LSTM in Valkey", of_store)
        return {"store": of_store}
    arranged = replicas.measure(make_network(512, 2), _FOLDER, rounds=rounds, seconds=3)
    _print_rates("a process with all engines beside processes with one each", arranged, digits=2)
    one, others = arranged.values()
    print(
        f"{'replicas ÷ one process':30}" + ", ".join(f"{name} {others[name] / one[name]:.2f}" for name in one)
    )
    return {"replicas": arranged}


def _scoring(part: str, rounds: int) -> dict[str, Any]:
    if part == "tables":
        of_file = tables.measure()
        _print_row("scoring 10 million strings of a Parquet file: strings per second", of_file)
        return {"tables": of_file}
    network = make_network(512, 2)
    if part == "library":
        calls = library.measure(network, _FOLDER, rounds=rounds)
        _print_row("scoring 100,000 strings in a process of one's own: strings per second", calls)
        return {"library": calls}
    scored = {**score.describe(network), **score.measure(network, _FOLDER, rounds=rounds)}
    _print_row("scoring 100,000 strings: strings per second", scored)
    if not kenlm.installed():
        print(f"{'kenlm':30}not measured: not installed")
    return {"score": scored}


def _engine(rounds: int) -> dict[str, Any]:
    result = {}
    for hidden_size, num_layers in _SIZES:
        name = f"engine {num_layers}x{hidden_size}"
        found = result[name] = engine.measure(hidden_size, num_layers, rounds=rounds)
        _print_rates(f"{name}: characters per second by number of lanes", found)
        pairs = [("engine-int8", "step-int8"), ("step-int8", "roofline-int8")]
        _print_ratios(found, [*pairs, ("step-int8", "lstm-operator"), ("step-int8", "torch")])
        if "step-int8-kernels" in found["64"]:
            fused = "step-int8-kernels"
            _print_ratios(
                found, [(fused, "step-int8"), (fused, "roofline-int8"), ("engine-int8-kernels", fused)]
            )
    return result


def _print_rates(title: str, found: dict[str, dict[str, float]], digits: int = 0) -> None:
    print(f"\n{title}")
    print(f"{'':30}" + "".join(f"{n:>12}" for n in found))
    for name in next(iter(found.values())):
        print(f"{name:30}" + "".join(f"{row[name]:12,.{digits}f}" for row in found.values()), flush=True)


def _print_ratios(found: dict[str, dict[str, float]], pairs: list[tuple[str, str]]) -> None:
    for top, bottom in pairs:
        ratios = "".join(f"{row[top] / row[bottom]:12.2f}" for row in found.values())
        print(f"{top + ' ÷ ' + bottom:30}" + ratios, flush=True)


def _print_peers(peers: dict[str, dict[str, float] | str]) -> None:
    print("\ncompletions of servers: characters per second by clients; ÷ theirs: ours, ours with one engine")
    ours, narrow = peers["nextchar"], peers["nextchar, one engine"]
    assert isinstance(ours, dict)
    assert isinstance(narrow, dict)
    for name, rates in peers.items():
        if isinstance(rates, str):
            print(f"{name:30}{rates}")
            continue
        shown = [
            f"{n:>6}: {rate:10,.0f} {ours[n] / rate:6.2f} {narrow[n] / rate:6.2f}"
            for n, rate in rates.items()
        ]
        print(f"{name:30}" + "   ".join(shown), flush=True)


def _print_row(title: str, row: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in row.items():
        print(f"{name:30}{value:14,.3f}", flush=True)


def _facts() -> dict[str, str | int | None]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
