"""Measures idle sessions: what 100,000 of the shipped LSTM cost in SQLite, and what resuming one costs.

Sessions are written by the store itself, from 500 real states of 40 to 400 characters; the server is started
over them afterwards, so that the first request for each session finds it cold.
"""

import asyncio
import json
import random
import shutil
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from benchmarks.memory import resident
from benchmarks.servers import our_server
from nextchar.model.graph import open_graph
from nextchar.service.sessions.codec import StateCodec, state_bytes
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.service.sessions.stores.sqlite import SqliteStore

_NUM_SESSIONS, _NUM_STATES, _NUM_REQUESTED = 100_000, 500, 400
_MODEL = Path("models/shakespeare/1")
_PORT = 18_200
_URL = f"http://127.0.0.1:{_PORT}/v1/sessions"
_KEY = b"a key of thirty-two bytes, or so"
_TEXT = "What say you to this, my lord? I would not have it so; the day is long, and we are few. " * 5


def measure(folder: Path) -> dict[str, float]:
    """Returns bytes per session on disk, MiB of the server's growth, ms of a first and a second feed."""
    folder = folder / "sessions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "state.key").write_bytes(_KEY)
    settings: dict[str, Any] = {"data_dir": folder}
    with our_server(_MODEL.parents[1], _PORT, **settings):
        empty = resident(_PORT + 2)
        states = [_state(k) for k in range(_NUM_STATES)]
    by_formula = asyncio.run(_fill(folder / "sessions.db", states))
    with our_server(_MODEL.parents[1], _PORT, **settings):
        cold, hot = _feed_times()
        grown = resident(_PORT + 2) - empty
    disk = sum(path.stat().st_size for path in folder.glob("sessions.db*"))
    return {
        "sessions": _NUM_SESSIONS,
        "bytes by formula": by_formula,
        "sealed bytes": statistics.mean(map(len, states)),
        "bytes on disk per session": disk / _NUM_SESSIONS,
        "MiB the server has grown": grown,
        "cold feed, ms p50": cold,
        "hot feed, ms p50": hot,
        "cold ÷ hot": cold / hot,
    }


def _state(k: int) -> bytes:
    """Creates a session with some text; returns its sealed state."""
    made = {"model": "shakespeare", "prime": _TEXT[k % 40 : k % 40 + 40 + (k * 37) % 360], "seed": k}
    session_id = httpx.post(_URL, json=made).json()["session_id"]
    return httpx.get(f"{_URL}/{session_id}/state").content


async def _fill(path: Path, states: list[bytes]) -> float:
    """Stores the sessions; returns the mean of their bytes before they are packed."""
    graph, store = open_graph(_MODEL / "step-int8.onnx"), SqliteStore(path)
    codec, now = StateCodec(_KEY), time.time()
    opened = [codec.open(s, owner="", digest=graph.digest, shapes=graph.state_shapes) for s in states]
    record = SessionRecord("", "", "shakespeare", "1", graph.digest, 1, 0, now, 86_400, now + 86_400, b"")
    for k in range(_NUM_SESSIONS):
        state, sealed = opened[k % len(states)], states[k % len(states)]
        new = replace(record, session_id=f"s{k:06}", position=state.here.position, sealed=sealed)
        assert await store.create(new, now=now)
    await store.close()
    return statistics.mean(map(state_bytes, opened))


def _feed_times() -> tuple[float, float]:
    """Returns the milliseconds (p50) of the first feed of a session, and of the second."""
    ids = random.Random(0).sample(range(_NUM_SESSIONS), _NUM_REQUESTED)
    body = json.dumps({"text": "a", "top": 1})
    first, second = [], []
    with httpx.Client() as client:
        client.get(f"{_URL}/s000000")
        for k in ids:
            for seen in (first, second):
                started = time.perf_counter()
                assert client.post(f"{_URL}/s{k:06}/feed", content=body).status_code == 200
                seen.append(1000 * (time.perf_counter() - started))
    return statistics.median(first), statistics.median(second)
