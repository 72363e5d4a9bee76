"""Measures a node's two arrangements: one process with an engine for each core, or a process for each core.

Each replica has one engine thread. The clients take the replicas' ports in turn, which is what the best of
proxies would do, without its cost. All servers run all the time and take turns in being asked. `next` is a
next-character request of one client, alone and beside 64 clients with completions.
"""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.clients.http import run_load
from benchmarks.clients.requests import completions, next_characters
from benchmarks.data import write_data
from benchmarks.engine.network import Network
from benchmarks.memory import resident
from benchmarks.servers import our_server
from nextchar.model.cores import num_cores

CLIENTS = (1, 16, 64, 128)
_NUM_CHARS = 256
_BESIDE = 64
_PORT = 18_400

Figures = dict[str, float]


def measure(network: Network, folder: Path, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """Returns characters per second by clients, milliseconds of `next` and MiB, by arrangement."""
    models, cores = write_data(network, folder) / "models", num_cores()
    ports = {
        "one process": [_PORT],
        "replicas": [_PORT + 10 * number for number in range(1, cores + 1)],
    }
    seen: dict[str, list[Figures]] = {name: [] for name in ports}
    with ExitStack() as stack:
        for of_name in ports.values():
            for port in of_name:
                num_engines = cores // len(of_name)
                stack.enter_context(our_server(models, port, engine_threads=num_engines))
        for _ in range(rounds):
            for name, of_name in ports.items():
                seen[name].append(_round(of_name, seconds))
        memory = {name: sum(resident(port + 2) for port in of_name) for name, of_name in ports.items()}
    return {name: {**_medians(found), "resident MiB": memory[name]} for name, found in seen.items()}


def _round(ports: Sequence[int], seconds: float) -> Figures:
    asked, following = completions(ports[0], _NUM_CHARS, stream=True), next_characters(ports[0])
    found: Figures = {}
    for num_clients in CLIENTS:
        rate, _ = run_load(asked, port=ports, num_clients=num_clients, warm=1.5, seconds=seconds)
        found[f"{num_clients} clients"] = rate * _NUM_CHARS
    for name, beside in (("alone", []), (f"beside {_BESIDE}", [asked] * _BESIDE)):
        _, stats = run_load(following, port=ports, num_clients=1, warm=1.5, seconds=seconds, beside=beside)
        for level in (50, 99):
            found[f"next {name}, p{level}, ms"] = float(np.percentile(stats.seconds, level)) * 1000
    return found


def _medians(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}
