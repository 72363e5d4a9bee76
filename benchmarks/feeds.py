"""`python -m benchmarks.feeds PORT…`: measures one feed of a session, of servers that already run.

One client over REST on one connection feeds a character at a time, as when somebody types, and takes the
distribution after it. Where several ports are given, the servers take turns, so that two versions are
measured side by side. Prints milliseconds per server: the median and the 99th percentile of all rounds
together, and the median of each round's median, each also as a ratio to the first server's.
"""

import argparse
import json
import statistics
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from benchmarks.clients.http import HttpClient, LoadStats, http_post, run_load


@dataclass
class _Seen:
    """Seconds of one server's feeds, and the median of each round."""

    seconds: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)


def measure(
    ports: list[int], *, model: str, rounds: int, seconds: float, fields: dict[str, Any]
) -> dict[int, dict[str, float]]:
    """Measures feeds of one session per server and round; returns milliseconds by port."""
    seen = {port: _Seen() for port in ports}
    for k in range(rounds):
        for port in ports if k % 2 == 0 else reversed(ports):
            round_seconds = _feeds(port, model, seconds, fields)
            seen[port].seconds += round_seconds
            seen[port].medians.append(statistics.median(round_seconds))
    return {port: _milliseconds(found) for port, found in seen.items()}


def _feeds(port: int, model: str, seconds: float, fields: dict[str, Any]) -> list[float]:
    url = f"http://127.0.0.1:{port}/v1/sessions"
    session_id = httpx.post(url, json={"model": model, "seed": 1}).raise_for_status().json()["session_id"]
    request = http_post(port, f"/v1/sessions/{session_id}/feed", json.dumps(fields).encode())

    def make_client(stats: LoadStats) -> HttpClient:
        return HttpClient(lambda: request, stats)

    _, stats = run_load(make_client, port=port, num_clients=1, warm=0.5, seconds=seconds)
    httpx.delete(f"{url}/{session_id}").raise_for_status()
    return stats.seconds


def _milliseconds(seen: _Seen) -> dict[str, float]:
    p50, p99 = np.percentile(seen.seconds, [50, 99])
    median = statistics.median(seen.medians)
    return {"p50": 1000 * p50, "p99": 1000 * p99, "median of rounds": 1000 * median}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description=__doc__)
    parser.add_argument("ports", nargs="+", type=int, help="HTTP ports of servers on this machine")
    parser.add_argument("--model", default="shakespeare")
    parser.add_argument("--text", default="a", help="what each feed reads")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one server's part of a round")
    arguments = parser.parse_args()
    fields = {"text": arguments.text, "return": "last"}
    found = measure(
        arguments.ports,
        model=arguments.model,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        fields=fields,
    )
    first = found[arguments.ports[0]]
    for port, row in found.items():
        shown = "  ".join(f"{name} {value:.3f} ({value / first[name]:.2f})" for name, value in row.items())
        print(f"{port}: {shown}")


if __name__ == "__main__":
    main()
