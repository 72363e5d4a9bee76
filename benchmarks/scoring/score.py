"""Measures scoring of many short strings: strings per second by API, beside torch on the same network.

The strings are made of random syllables, like domain names. Ours are scored over HTTP and gRPC in requests of
as many strings as the server accepts, a few in flight, and by the command line, its start included; torch
reads them sorted by length in padded batches, with all cores; KenLM looks them up in a 6-gram, on one core.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.clients.grpc import GrpcClient
from benchmarks.clients.http import HttpClient, MakeClient, http_post, run_load
from benchmarks.data import MODEL, write_data
from benchmarks.engine.network import Network
from benchmarks.scoring import kenlm
from benchmarks.servers import our_server
from nextchar.engine.cooperative import run_cooperatively
from nextchar.engine.trie import build_trie
from nextchar.model.cores import num_cores
from nextchar.pb import nextchar_pb2 as pb

NUM_STRINGS = 100_000
_STRINGS_PER_REQUEST = 2_000
_NUM_IN_FLIGHT = 4
_TORCH_BATCH = 512
_PORT = 18_100
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def make_strings(count: int) -> list[str]:
    """Makes strings of two to five syllables: a consonant, a vowel and sometimes another consonant."""
    rng = np.random.default_rng(0)

    def syllable() -> str:
        end = rng.choice(list(_CONSONANTS)) if rng.random() < 0.3 else ""
        return str(rng.choice(list(_CONSONANTS))) + str(rng.choice(list(_VOWELS))) + str(end)

    syllables = [syllable() for _ in range(500)]
    picks = rng.integers(0, len(syllables), (count, 5))
    return [
        "".join(syllables[k] for k in row[:n])
        for row, n in zip(picks.tolist(), rng.integers(2, 6, count).tolist(), strict=True)
    ]


def measure(network: Network, folder: Path, *, rounds: int) -> dict[str, float]:
    """Returns strings per second of each contender, the median of rounds in which they take turns."""
    strings = make_strings(NUM_STRINGS)
    data = write_data(network, folder)
    seen: dict[str, list[float]] = {}
    with our_server(data / "models", _PORT):
        for _ in range(rounds):
            seen.setdefault("http", []).append(_http(strings))
            seen.setdefault("grpc", []).append(_grpc(strings))
            seen.setdefault("torch", []).append(_torch(network, strings))
    with our_server(data / "models", _PORT, engine_threads=1):
        for _ in range(rounds):
            seen.setdefault("http, one engine", []).append(_http(strings))
    for _ in range(rounds):  # alone: it uses all cores
        seen.setdefault("cli", []).append(command_line(data, strings))
    if kenlm.installed():
        peer = kenlm.Kenlm(network.vocabulary, strings, folder)
        seen["kenlm, 6-gram"] = [peer.rate() for _ in range(rounds)]
    return {name: statistics.median(values) for name, values in seen.items()}


def describe(network: Network) -> dict[str, float]:
    """Describes the strings: their characters, and the steps per character when prefixes are shared."""
    ids = [network.vocabulary.encode(s) for s in make_strings(NUM_STRINGS)]
    request = asyncio.run(
        run_cooperatively(build_trie(ids[:_STRINGS_PER_REQUEST], network.vocabulary.begin_id, ids[0][:0]))
    )
    return {
        "strings": NUM_STRINGS,
        "chars": sum(map(len, ids)),
        "steps_per_char": float(request.must_read.sum()) / sum(map(len, ids[:_STRINGS_PER_REQUEST])),
    }


def _requests(strings: list[str]) -> list[list[str]]:
    return [
        strings[first : first + _STRINGS_PER_REQUEST]
        for first in range(0, len(strings), _STRINGS_PER_REQUEST)
    ]


def _http(strings: list[str]) -> float:
    bodies = [json.dumps({"model": MODEL, "input": part}).encode() for part in _requests(strings)]
    requests = itertools.cycle([http_post(_PORT, "/v1/score", body) for body in bodies])
    return _STRINGS_PER_REQUEST * _rate(
        lambda stats: HttpClient(lambda: next(requests), stats), _PORT, len(bodies)
    )


def _grpc(strings: list[str]) -> float:
    parts = [pb.ScoreRequest(model=MODEL, input=p).SerializeToString() for p in _requests(strings)]
    requests, path = itertools.cycle(parts), "/nextchar.v1.Nextchar/Score"
    port = _PORT + 1
    rate = _rate(lambda stats: GrpcClient(port, path, lambda: next(requests), stats), port, len(parts))
    return _STRINGS_PER_REQUEST * rate


def _rate(make_client: MakeClient, port: int, count: int) -> float:
    rate, _ = run_load(
        make_client,
        port=port,
        num_clients=_NUM_IN_FLIGHT,
        warm=0.5,
        seconds=0.1,
        min_responses=count,
    )
    return rate


def command_line(data: Path, strings: list[str]) -> float:
    """Returns the strings per second of `nextchar score`, its start included."""
    program = Path(sys.executable).with_name("nextchar")
    command = [str(program), "score", str(data / "models" / MODEL), "--json"]
    started = time.perf_counter()
    subprocess.run(command, input="\n".join(strings) + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return len(strings) / (time.perf_counter() - started)


@torch.inference_mode()
def _torch(network: Network, strings: list[str]) -> float:
    torch.set_num_threads(num_cores())
    vocabulary, module = network.vocabulary, network.torch
    started = time.perf_counter()
    ids = sorted((vocabulary.encode(s) for s in strings), key=len)
    for first in range(0, len(ids), _TORCH_BATCH):
        batch = ids[first : first + _TORCH_BATCH]
        targets = np.zeros((len(batch[-1]), len(batch)), dtype=np.int64)
        for column, string in enumerate(batch):
            targets[: len(string), column] = string
        read = np.concatenate([np.full((1, len(batch)), vocabulary.begin_id), targets[:-1]])
        logits, _ = module(torch.from_numpy(read))
        logprobs = torch.log_softmax(logits, dim=-1).gather(2, torch.from_numpy(targets)[..., None])[..., 0]
        mask = np.arange(len(targets))[:, None] < np.array([len(s) for s in batch])
        (logprobs * torch.from_numpy(mask)).sum(dim=0).tolist()
    return len(strings) / (time.perf_counter() - started)
