"""Measures a feed of one character to a session beside `/v1/next`, for one client, by session store.

The calls take turns on one connection, so that a busy machine delays each kind alike: `next 1` and `next 10`
are next-character requests after one and after ten characters, `feed 1` feeds a session one character and
returns the distribution after it, `each 10` feeds it ten with a distribution after each. Milliseconds are
medians of the medians of rounds; ratios are to `next 1` and `next 10` of the same store and round.
"""

import itertools
import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.clients.http import HttpClient, LoadStats, http_post, run_load
from benchmarks.data import MODEL, write_data
from benchmarks.engine.network import Network
from benchmarks.servers import our_server

_PORT = 18_200
_TEXT = "to be or not to be, that is the question: "
_KINDS = ("next 1", "feed 1", "next 10", "each 10")
_RATIOS = (("feed 1", "next 1"), ("feed 1", "next 10"), ("each 10", "next 10"))


def measure(network: Network, folder: Path, *, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Returns milliseconds by kind of call, and ratios of kinds, by store."""
    models = write_data(network, folder) / "models"
    found = {}
    for store in ("memory", "sqlite"):
        data = folder / "trips"
        shutil.rmtree(data, ignore_errors=True)
        settings: dict[str, Any] = {"data_dir": data, "session_store": _url(store, data)}
        with our_server(models, _PORT, **settings):
            found[store] = _medians([_round(seconds) for _ in range(rounds)])
    return found


def _url(store: str, data: Path) -> str:
    return "memory:" if store == "memory" else f"sqlite:///{data.resolve() / 'sessions.db'}"


def _round(seconds: float) -> dict[str, float]:
    """Returns the median milliseconds of each kind of call."""
    created = httpx.post(f"http://127.0.0.1:{_PORT}/v1/sessions", json={"model": MODEL, "prime": _TEXT})
    session_id = created.raise_for_status().json()["session_id"]
    seen: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    requests = _requests(session_id)
    run_load(
        lambda stats: _TurnClient(requests, seen, stats),
        port=_PORT,
        num_clients=1,
        warm=0.5,
        seconds=seconds,
        min_responses=20 * len(_KINDS),
    )
    return {kind: 1000 * statistics.median(values) for kind, values in seen.items()}


def _requests(session_id: str) -> Iterator[tuple[str, bytes]]:
    """Yields the calls in turn, each with its kind."""
    feed = f"/v1/sessions/{session_id}/feed"
    texts = itertools.cycle(_TEXT)
    while True:
        ten = "".join(itertools.islice(texts, 10))
        bodies: list[tuple[str, dict[str, str]]] = [
            ("/v1/next", {"model": MODEL, "input": ten[0]}),
            (feed, {"text": ten[0]}),
            ("/v1/next", {"model": MODEL, "input": ten}),
            (feed, {"text": ten, "return": "each"}),
        ]
        for kind, (path, body) in zip(_KINDS, bodies, strict=True):
            yield kind, http_post(_PORT, path, json.dumps(body).encode())


class _TurnClient(HttpClient):
    """Sends requests of several kinds in turn, and keeps the seconds of each by kind."""

    def __init__(
        self, requests: Iterator[tuple[str, bytes]], seen: dict[str, list[float]], stats: LoadStats
    ) -> None:
        super().__init__(self._next, stats)
        self._requests, self._seen, self._kind = requests, seen, ""

    def _next(self) -> bytes:
        self._kind, request = next(self._requests)
        return request

    def data_received(self, data: bytes) -> None:
        kind, stats = self._kind, self.stats
        num_before = len(stats.seconds)
        super().data_received(data)
        if len(stats.seconds) > num_before:
            self._seen[kind].append(stats.seconds[-1])


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Returns the medians over rounds, and those of the ratios in each round."""
    found = {f"{kind}, ms": statistics.median(row[kind] for row in rounds) for kind in _KINDS}
    ratios = {
        f"{top} ÷ {bottom}": statistics.median(row[top] / row[bottom] for row in rounds)
        for top, bottom in _RATIOS
    }
    return found | ratios
