"""Measures what sessions cost in Valkey, and what a feed of one character costs on each wire.

A real Valkey and a server with the shipped LSTM, on loopback. Sessions have texts of 40 to 400 characters, as
in `sessions`; then clients feed a character at a time to a session of their own. Bytes are those that Valkey
counts, divided by its writes, so that they hold the read before each.
"""

import itertools
import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.clients.http import HttpClient, LoadStats, http_post, run_load
from benchmarks.drills.doubled.valkey import ValkeyNode
from benchmarks.servers import ROOT, our_server

_NUM_SESSIONS, _NUM_CLIENTS = 500, 32
_PORT = 18_500
_URL = f"http://127.0.0.1:{_PORT}/v1/sessions"
_MODEL = "shakespeare"
_TEXT = "What say you to this, my lord? I would not have it so; the day is long, and we are few. " * 5

Figures = dict[str, float]


def measure(folder: Path, *, rounds: int, seconds: float) -> Figures:
    """Returns bytes by session and feed, feeds per second, and microseconds of Valkey's thread for one."""
    folder = folder / "store"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    node = ValkeyNode(folder / "valkey", "--appendonly", "yes", "--save", "")
    node.start()
    try:
        settings: dict[str, Any] = {
            "session_store": f"valkey://127.0.0.1:{node.port}/0",
            "state_key": "a key of thirty-two bytes, or so",
            "max_sessions": 2 * _NUM_SESSIONS,
        }
        with our_server(ROOT / "models", _PORT, **settings):
            kept = _fill(node)
            feeds = [_feeds(node, seconds) for _ in range(rounds)]
    finally:
        node.kill()
    medians = {name: statistics.median(found[name] for found in feeds) for name in feeds[0]}
    return {"sessions": _NUM_SESSIONS, "bytes in Valkey per session": kept, **medians}


def _fill(node: ValkeyNode) -> float:
    """Creates the sessions; returns the bytes by which Valkey grows for each."""
    with httpx.Client() as client:
        _create(client, 0)  # what the first brings with it
        before = int(node.info("memory")["used_memory"])
        for k in range(1, _NUM_SESSIONS + 1):
            _create(client, k)
        return (int(node.info("memory")["used_memory"]) - before) / _NUM_SESSIONS


def _create(client: httpx.Client, k: int) -> None:
    prime = _TEXT[k % 40 : k % 40 + 40 + (k * 37) % 360]
    made = {"model": _MODEL, "session_id": f"s{k}", "prime": prime, "seed": k}
    client.post(_URL, json=made).raise_for_status()


def _feeds(node: ValkeyNode, seconds: float) -> Figures:
    ids, answered = itertools.count(), _Answered()
    before = _counted(node)
    rate, _ = run_load(
        lambda stats: _FeedClient(_feed(next(ids)), stats, answered),
        port=_PORT,
        num_clients=_NUM_CLIENTS,
        warm=0.5,
        seconds=seconds,
    )
    grown = {name: value - before[name] for name, value in _counted(node).items()}
    writes = grown.pop("writes")
    of_valkey = {name: value / writes for name, value in grown.items()}
    return {
        "feeds per second": rate,
        **of_valkey,
        "bytes to server per feed": len(_feed(0)()),
        "bytes to client per feed": answered.num_bytes / answered.num_answers,
    }


def _counted(node: ValkeyNode) -> Figures:
    stats, cpu = node.info("stats"), node.info("cpu")
    return {
        "writes": float(node.info("commandstats")["cmdstat_eval"]["calls"]),
        "bytes to Valkey per feed": float(stats["total_net_input_bytes"]),
        "bytes from Valkey per feed": float(stats["total_net_output_bytes"]),
        "µs of Valkey per feed": 1e6 * (cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"]),
    }


def _feed(k: int) -> Callable[[], bytes]:
    request = http_post(_PORT, f"/v1/sessions/s{k}/feed", json.dumps({"text": "a"}).encode())
    return lambda: request


class _Answered:
    """Counts the bytes of answers of all clients."""

    num_bytes = num_answers = 0


class _FeedClient(HttpClient):
    """Also counts what it is answered."""

    def __init__(self, request: Callable[[], bytes], stats: LoadStats, answered: _Answered) -> None:
        super().__init__(request, stats)
        self._answered = answered

    def ended(self, data: bytes) -> bool:
        has_ended = super().ended(data)
        self._answered.num_bytes += len(data)
        self._answered.num_answers += has_ended
        return has_ended
