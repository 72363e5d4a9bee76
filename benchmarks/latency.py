"""Measures how long one client waits, alone and while bulk scoring of lines or names fills its 64 rows.

`next` is a next-character request over HTTP after ten characters; `first` the time to the first character of
a streamed completion; `between` the time per character between its events. In milliseconds, median and 99th
percentile.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.clients.http import Client, HttpClient, LoadStats, MakeClient, http_post, run_load
from benchmarks.clients.requests import completion_requests, next_characters
from benchmarks.data import MODEL, write_data
from benchmarks.engine.network import Network
from benchmarks.scoring.score import make_strings
from benchmarks.servers import our_server

PORT = 18_200
_BULK_STRINGS = 1_000
_BULK_CLIENTS = 2  # one is always queued, so that the 64 rows of bulk scoring are never empty
_NUM_CHARS = 256


class StreamClient(HttpClient):
    """Also records the seconds per character between events, which hold `chars_per_event`."""

    chars_per_event = 16

    def __init__(self, next_request: Callable[[], bytes], stats: LoadStats) -> None:
        super().__init__(next_request, stats)
        self._last = 0.0

    def data_received(self, data: bytes) -> None:
        now, num_events = time.perf_counter(), data.count(b"data: {")
        if not self._first and num_events:
            self.stats.between.append((now - self._last) / (num_events * self.chars_per_event))
        if num_events:
            self._last = now
        super().data_received(data)


def next_beside(seconds: float) -> dict[str, list[float]]:
    """Returns the seconds of next-character requests to the server on `PORT`, by what it does beside them.

    The first three seconds do not count: a spare engine still reads bulk work that it had begun before.
    """
    return {
        name: _run(next_characters(PORT), beside, seconds, warm=3.0).seconds
        for name, beside in _situations().items()
    }


def _situations() -> dict[str, list[MakeClient]]:
    return {"alone": [], "bulk lines": _bulk(_long_strings()), "bulk names": _bulk(_short_strings())}


def measure(network: Network, folder: Path, *, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Returns milliseconds by situation; the situations take turns, percentiles are over all rounds."""
    models = write_data(network, folder) / "models"
    beside_by_situation = _situations()
    seen: dict[str, dict[str, list[float]]] = {situation: {} for situation in beside_by_situation}
    with our_server(models, PORT):
        for _ in range(rounds):
            for situation, beside in beside_by_situation.items():
                row = seen[situation]
                _add(row, "next", _run(next_characters(PORT), beside, seconds).seconds)
                stats = _run(_stream(), beside, seconds)
                _add(row, "first", stats.first_seconds)
                _add(row, "between", stats.between)
    return {situation: _percentiles(row) for situation, row in seen.items()}


def _run(
    make_client: MakeClient, beside: list[MakeClient], seconds: float, *, warm: float = 0.5
) -> LoadStats:
    _, stats = run_load(
        make_client,
        port=PORT,
        num_clients=1,
        warm=warm,
        seconds=seconds,
        beside=beside,
    )
    return stats


def _add(row: dict[str, list[float]], name: str, values: list[float]) -> None:
    row.setdefault(name, []).extend(values)


def _percentiles(row: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{name}_p{level}_ms": float(np.percentile(values, level)) * 1000
        for name, values in row.items()
        for level in (50, 99)
    }


def _stream() -> MakeClient:
    requests = completion_requests(PORT, _NUM_CHARS, stream=True)
    return lambda stats: StreamClient(requests, stats)


def _long_strings() -> list[str]:
    """Makes strings of about 100 characters: a request runs for about a second."""
    names = make_strings(13 * _BULK_STRINGS)
    return [" ".join(names[k::_BULK_STRINGS]) for k in range(_BULK_STRINGS)]


def _short_strings() -> list[str]:
    """Makes strings of about 8 characters: twenty requests per second begin and end."""
    return make_strings(_BULK_STRINGS)


def _bulk(strings: list[str]) -> list[MakeClient]:
    body = json.dumps({"model": MODEL, "input": strings}).encode()
    request = http_post(PORT, "/v1/score", body)

    def make(stats: LoadStats) -> Client:
        return HttpClient(lambda: request, stats)

    return [make] * _BULK_CLIENTS
