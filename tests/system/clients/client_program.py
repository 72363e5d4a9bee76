"""Runs a client in its own environment, and calls the server natively to compare."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.live_server import LiveServer

HERE = Path(__file__).parent
_SECONDS = 120


def answers(*command: str | Path, environment: dict[str, str] | None = None) -> Any:
    """Returns what the program printed: one JSON value on standard output."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env=os.environ | (environment or {}),
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


def complete(server: LiveServer, **fields: Any) -> list[str]:
    """The texts of a completion."""
    answer = server.post("/v1/completions", {"model": "tiny", **fields}).json()
    return [choice["text"] for choice in answer["choices"]]


def tensors(server: LiveServer, texts: list[str], context: str = "") -> dict[str, Any]:
    """What the four outputs of the Open Inference Protocol are, by our own calls."""
    body = {"model": "tiny", "input": texts, "context": context}
    scores = server.post("/v1/score", body).json()["data"]
    tops = [
        server.post("/v1/next", {"model": "tiny", "input": context + text}).json()["data"] for text in texts
    ]
    return {
        "log_probs": [[c["logprob"] for c in sorted(top, key=lambda c: c["id"])] for top in tops],
        "next": [top[0]["char"] for top in tops],
        "next_id": [top[0]["id"] for top in tops],
        "score": [score["logprob"] for score in scores],
    }
