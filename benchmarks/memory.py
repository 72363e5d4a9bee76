"""Measures whether the server's memory grows: resident bytes after a tenth of the requests and after all.

Scores, next characters and completions, streamed and whole, in turn; every fiftieth client leaves in the
middle of a stream.
"""

import itertools
import json
import socket
from pathlib import Path

import httpx

from benchmarks.clients.http import HttpClient, http_post, run_load
from benchmarks.data import MODEL, write_data
from benchmarks.engine.network import Network
from benchmarks.servers import our_body, our_server

NUM_REQUESTS = 200_000
_CLIENTS = 32
_PORT = 18_300


def measure(network: Network, folder: Path, *, num_requests: int = NUM_REQUESTS) -> dict[str, float]:
    """Returns resident MiB after a tenth and after all of the requests."""
    models = write_data(network, folder) / "models"
    mixed = itertools.cycle(_mixed())
    with our_server(models, _PORT):
        _load(mixed, num_requests // 10)
        early = resident(_PORT + 2)
        _load(mixed, num_requests - num_requests // 10)
        late = resident(_PORT + 2)
    return {"requests": num_requests, "early_mib": early, "late_mib": late, "growth": late / early - 1}


def _mixed() -> list[bytes]:
    score = json.dumps({"model": MODEL, "input": ["hello", "htktt", "to be"], "return_chars": True})
    following = json.dumps({"model": MODEL, "input": "to be or n"})
    return [
        http_post(_PORT, "/v1/score", score.encode()),
        http_post(_PORT, "/v1/next", following.encode()),
        http_post(_PORT, "/v1/completions", our_body(20, 1, stream=False)),
        http_post(_PORT, "/v1/completions", our_body(20, 2, stream=True)),
    ]


def _load(mixed: "itertools.cycle[bytes]", count: int) -> None:
    done = 0
    while done < count:
        _, stats = run_load(
            lambda stats: HttpClient(lambda: next(mixed), stats),
            port=_PORT,
            num_clients=_CLIENTS,
            warm=0.1,
            seconds=1,
            min_responses=min(5_000, count - done),
        )
        done += stats.num_responses
        for _ in range(stats.num_responses // 50):
            _leave()


def _leave() -> None:
    """Requests a long stream and closes the connection after its first bytes."""
    with socket.create_connection(("127.0.0.1", _PORT), timeout=30) as connection:
        connection.sendall(http_post(_PORT, "/v1/completions", our_body(10_000, 3, stream=True)))
        connection.recv(100)


def resident(port: int) -> float:
    """Returns resident MiB from the server's own metric on a port."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    line = next(x for x in text.splitlines() if x.startswith("process_resident_memory_bytes"))
    return float(line.split()[1]) / 2**20
