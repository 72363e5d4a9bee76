"""Measures completions of real servers over real sockets: characters per second by number of clients.

Each client keeps one completion of `NUM_CHARS` characters in flight. Ours over HTTP (streamed and
whole) and gRPC (streamed), the engine alone, then every peer that is installed under .peers/ with the
same network. A peer that is not installed, or does not start, is "not measured".
"""

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks.clients.grpc import GrpcClient
from benchmarks.clients.http import Client, HttpClient, LoadStats, MakeClient, http_post, run_load
from benchmarks.clients.requests import completion_requests, completions
from benchmarks.data import MODEL, write_data
from benchmarks.engine.engine import engine_alone
from benchmarks.engine.network import Network
from benchmarks.servers import PEERS, Peer, our_server, peer_server
from nextchar.model.cores import num_cores
from nextchar.pb import nextchar_pb2 as pb

NUM_CHARS = 256
CLIENTS = (1, 16, 64, 128)
PEER_CLIENTS = (1, 64)
_PORT = 18_000
_METHOD = "/nextchar.v1.Nextchar/Complete"

Rates = dict[str, dict[str, float]]


def measure_ours(network: Network, folder: Path, *, rounds: int, seconds: float) -> Rates:
    """Returns characters per second by number of clients, then by API; the APIs take turns in each round."""
    models = write_data(network, folder) / "models"
    seen: dict[str, dict[str, list[float]]] = {}
    with our_server(models, _PORT):
        for _ in range(rounds):
            for num_clients in CLIENTS:
                row = seen.setdefault(str(num_clients), {})
                row.setdefault("engine", []).append(engine_alone(network, num_clients, seconds))
                for name, (make, port) in _apis().items():
                    rate, _ = run_load(make, port=port, num_clients=num_clients, warm=1.5, seconds=seconds)
                    row.setdefault(name, []).append(rate * NUM_CHARS)
    return {
        clients: {name: statistics.median(values) for name, values in row.items()}
        for clients, row in seen.items()
    }


def _apis() -> dict[str, tuple[MakeClient, int]]:
    seeds = itertools.count()

    def message() -> bytes:
        fields = pb.CompletionRequest(
            model=MODEL, prompt="ROMEO:", max_tokens=NUM_CHARS, temperature=0.8, seed=next(seeds)
        )
        return fields.SerializeToString()

    def grpc(stats: LoadStats) -> Client:
        return GrpcClient(_PORT + 1, _METHOD, message, stats)

    return {
        "http-streamed": (completions(_PORT, NUM_CHARS, stream=True), _PORT),
        "http-whole": (completions(_PORT, NUM_CHARS, stream=False), _PORT),
        "grpc-streamed": (grpc, _PORT + 1),
    }


def measure_peers(
    network: Network, folder: Path, *, rounds: int, seconds: float
) -> dict[str, dict[str, float] | str]:
    """Returns characters per second of ours and of every peer by number of clients; or why it has none."""
    data = write_data(network, folder)
    found: dict[str, list[dict[str, float]]] = {}
    failed = {peer.name: "not measured: not installed (make peers)" for peer in PEERS if not peer.installed}
    for _ in range(rounds):
        for name, threads in (("nextchar", num_cores()), ("nextchar, one engine", 1)):
            found.setdefault(name, []).append(_our_rates(data, threads, seconds))
            print(f"  {name}: {found[name][-1]}", flush=True)
        for number, peer in enumerate(PEERS, start=1):
            if peer.name in failed:
                continue
            try:
                rates = _peer_rates(peer, data, _PORT + 10 * number, seconds)
            except (TimeoutError, AssertionError, ConnectionError) as error:
                failed[peer.name] = f"not measured: {str(error)[:200]}"
                continue
            found.setdefault(peer.name, []).append(rates)
            print(f"  {peer.name}: {rates}", flush=True)
    return {name: _medians(rates) for name, rates in found.items() if name not in failed} | failed


def _medians(rates: list[dict[str, float]]) -> dict[str, float]:
    return {clients: statistics.median(rate[clients] for rate in rates) for clients in rates[0]}


def _our_rates(data: Path, num_threads: int, seconds: float) -> dict[str, float]:
    with our_server(data / "models", _PORT, engine_threads=num_threads):
        return _rates(completion_requests(_PORT, NUM_CHARS, stream=False), seconds)


def _peer_rates(peer: Peer, data: Path, port: int, seconds: float) -> dict[str, float]:
    with peer_server(peer, data, port):
        request = http_post(port, peer.path, peer.body(NUM_CHARS))
        return _rates(lambda: request, seconds)


def _rates(request: Callable[[], bytes], seconds: float) -> dict[str, float]:
    rates = {}
    for num_clients in PEER_CLIENTS:
        port = int(request().partition(b"127.0.0.1:")[2].partition(b"\r\n")[0])
        rate, _ = run_load(
            lambda stats: HttpClient(request, stats),
            port=port,
            num_clients=num_clients,
            warm=2.0,
            seconds=seconds,
            min_responses=2 * num_clients,
        )
        rates[str(num_clients)] = rate * NUM_CHARS
    return rates
