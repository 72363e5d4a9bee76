"""`python -m benchmarks.versions PORT…`: measures servers that already run, side by side.

The servers take turns in each round, so that two versions of the code are compared in one run. Parts: `feed`
(a client feeds a session and takes the distribution after the text), `next` (a client asks for the likeliest
character), `complete` (clients complete 200 characters, streamed). Prints milliseconds per request (the
median and the 99th percentile of all rounds together, the median of the rounds' medians) and requests per
second; each also as a ratio to the first server's.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np

from benchmarks.clients.http import HttpClient, LoadStats, http_post, run_load

_COMPLETION_CHARS = 200
MakeRequest = Callable[[], bytes]


@dataclass
class _Seen:
    """Seconds of one server's requests; of each round the median and the requests per second."""

    seconds: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """Milliseconds and rates by name."""
        p50, p99 = 1000 * np.percentile(self.seconds, [50, 99])
        median, rate = 1000 * statistics.median(self.medians), statistics.median(self.rates)
        return {"p50": p50, "p99": p99, "median of rounds": median, "per second": rate}


@contextmanager
def _feed(port: int, arguments: argparse.Namespace) -> Iterator[MakeRequest]:
    url = f"http://127.0.0.1:{port}/v1/sessions"
    made = httpx.post(url, json={"model": arguments.model, "seed": 1}).raise_for_status().json()
    body = json.dumps({"text": arguments.text, "return": "last"}).encode()
    request = http_post(port, f"/v1/sessions/{made['session_id']}/feed", body)
    yield lambda: request
    httpx.delete(f"{url}/{made['session_id']}").raise_for_status()


@contextmanager
def _next(port: int, arguments: argparse.Namespace) -> Iterator[MakeRequest]:
    body = json.dumps({"model": arguments.model, "input": arguments.text, "top": 1}).encode()
    request = http_post(port, "/v1/next", body)
    yield lambda: request


@contextmanager
def _complete(port: int, arguments: argparse.Namespace) -> Iterator[MakeRequest]:
    fields = {
        "model": arguments.model,
        "prompt": arguments.text,
        "max_tokens": _COMPLETION_CHARS,
        "stream": True,
    }
    seeds = itertools.count()
    yield lambda: http_post(port, "/v1/completions", json.dumps({**fields, "seed": next(seeds)}).encode())


_PARTS = {"feed": _feed, "next": _next, "complete": _complete}


def measure(arguments: argparse.Namespace) -> dict[int, dict[str, float]]:
    """Measures one part of each server in turn; returns figures by port."""
    seen = {port: _Seen() for port in arguments.ports}
    for k in range(arguments.rounds):
        for port in arguments.ports if k % 2 == 0 else reversed(arguments.ports):
            with _PARTS[arguments.part](port, arguments) as make_request:
                rate, stats = _load(port, make_request, arguments)
            seen[port].seconds += stats.seconds
            seen[port].medians.append(statistics.median(stats.seconds))
            seen[port].rates.append(rate)
    return {port: found.figures for port, found in seen.items()}


def _load(port: int, make_request: MakeRequest, arguments: argparse.Namespace) -> tuple[float, LoadStats]:
    def make_client(stats: LoadStats) -> HttpClient:
        return HttpClient(make_request, stats)

    num_clients = arguments.clients
    return run_load(make_client, port=port, num_clients=num_clients, warm=0.5, seconds=arguments.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("ports", nargs="+", type=int, help="HTTP ports of servers on this machine")
    parser.add_argument("--part", choices=_PARTS, default="feed")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--model", default="shakespeare")
    parser.add_argument("--text", default="a", help="what each request reads")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one server's part of a round")
    arguments = parser.parse_args()
    found = measure(arguments)
    first = found[arguments.ports[0]]
    for port, row in found.items():
        shown = "  ".join(f"{name} {value:.3f} ({value / first[name]:.2f})" for name, value in row.items())
        print(f"{port}: {shown}")


if __name__ == "__main__":
    main()
