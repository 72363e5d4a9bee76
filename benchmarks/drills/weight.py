"""Sends a server the heaviest requests that its limits allow, many at once; watches its memory and health."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc

from benchmarks.drills.process import ServerProcess
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_AT_ONCE = 8
_MOST_BYTES = 1 << 30  # of memory, as small servers have
_MOST_SECONDS = 0.25  # until an answer about health
_SECONDS = 300
_LOOK_SECONDS = 0.02
_CHANNEL = [("grpc.max_receive_message_length", -1)]
_REFUSALS = (
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_TEXT = "to be or not to be, that is the question: "

Send = Callable[[], bool]  # whether the request was answered; False: it was refused


@dataclass(frozen=True, slots=True)
class WeightReport:
    """Reports one kind of request: how many were answered and refused, and what the server went through."""

    what: str
    num_answered: int
    num_refused: int
    seconds: float
    peak_bytes: int
    health_p99_seconds: float
    health_worst_seconds: float

    @property
    def good(self) -> bool:
        return self.peak_bytes < _MOST_BYTES and self.health_p99_seconds <= _MOST_SECONDS


def weigh(server: ServerProcess, model: str) -> Iterator[WeightReport]:
    """Yields a report of each kind of request, sent eight at once."""
    for what, send in _kinds(server, model):
        _forget_peak(server)
        seconds: list[float] = []
        started = time.monotonic()
        with _health(server, seconds):
            answered = _at_once(send)
        seconds.sort()
        yield WeightReport(
            what=what,
            num_answered=sum(answered),
            num_refused=_AT_ONCE - sum(answered),
            seconds=time.monotonic() - started,
            peak_bytes=_peak_bytes(server),
            health_p99_seconds=seconds[int(0.99 * (len(seconds) - 1))] if seconds else 0.0,
            health_worst_seconds=seconds[-1] if seconds else 0.0,
        )


def _kinds(server: ServerProcess, model: str) -> Iterator[tuple[str, Send]]:
    """Yields requests that weigh as much as is allowed, then those that are refused, at each door."""
    texts = [(_TEXT * 2000)[:65_536]] * 16
    score, complete = {"model": model, "input": texts}, {"model": model, "prompt": texts[0], "max_tokens": 0}
    bodies: dict[str, tuple[str, Any]] = {
        "a million characters": ("/v1/score", score),
        "a million characters with return_chars": ("/v1/score", score | {"return_chars": True}),
        "the most characters with return_chars": (
            "/v1/score",
            score | {"input": texts[:7], "return_chars": True},
        ),
        "prompts of a million characters": (
            "/v1/completions",
            complete | {"prompt": [text[:4000] for text in texts * 16]},
        ),
        "echo with logprobs 20": ("/v1/completions", complete | {"echo": True, "logprobs": 20}),
        "prompt_logprobs 20": (
            "/v1/completions",
            complete | {"prompt": texts[0][:38_000], "prompt_logprobs": 20},
        ),
        "2 samples of 16,384 characters, logprobs 20": (
            "/v1/completions",
            complete | {"prompt": "a", "max_tokens": 16_384, "n": 2, "logprobs": 20},
        ),
        "a million empty prompts": ("/v1/completions", {"model": model, "prompt": [""] * 1_000_000}),
        "350,000 unknown fields": ("/v1/completions", {f"x{k}": 1 for k in range(350_000)}),
        "2,000,000 ids": ("/v1/completions", {"model": model, "prompt": [1] * 2_000_000}),
        "1,000,000 ids": ("/v1/completions", complete | {"prompt": [[1] * 65_536] * 15}),
    }
    for what, (path, body) in bodies.items():
        content = json.dumps(body, separators=(",", ":")).encode()
        yield f"REST: {what}", lambda path=path, content=content: _post(server, path, content)
    calls = {
        "the most characters with return_chars": pb.ScoreRequest(
            model=model, input=texts[:3], return_chars=True
        ),
        "prompt_logprobs 20": pb.CompletionRequest(
            model=model, prompt=texts[0][:12_000], max_tokens=0, prompt_logprobs=20
        ),
        "a million empty prompts": pb.CompletionRequest(model=model, prompts=[""] * 1_000_000),
    }
    for what, message in calls.items():
        yield f"gRPC: {what}", lambda message=message: _call(server, message)


def _post(server: ServerProcess, path: str, content: bytes) -> bool:
    url, headers = f"http://127.0.0.1:{server.port}{path}", {"Content-Type": "application/json"}
    try:
        with urlopen(Request(url, content, headers), timeout=_SECONDS) as answer:
            while answer.read(1 << 16):
                pass
    except HTTPError as error:
        if error.code not in (400, 413, 429, 504):
            raise
        return False
    return True


def _call(server: ServerProcess, message: Any) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", _CHANNEL) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        try:
            if isinstance(message, pb.ScoreRequest):
                stub.Score(message, timeout=_SECONDS)
            else:
                list(stub.Complete(message, timeout=_SECONDS))
        except grpc.RpcError as error:
            if error.code() not in _REFUSALS:
                raise
            return False
    return True


def _at_once(send: Send) -> list[bool]:
    """Sends a request from as many threads as it is to be sent at once; returns which were answered."""
    answered: list[bool] = []
    threads = [threading.Thread(target=lambda: answered.append(send())) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(answered) < _AT_ONCE:
        raise RuntimeError("a request failed")
    return answered


@contextmanager
def _health(server: ServerProcess, seconds: list[float]) -> Iterator[None]:
    """Asks for the server's health again and again; adds how long each answer took."""
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            started = time.monotonic()
            with urlopen(f"http://127.0.0.1:{server.port}/livez", timeout=_SECONDS) as answer:
                answer.read()
            seconds.append(time.monotonic() - started)
            done.wait(_LOOK_SECONDS)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _forget_peak(server: ServerProcess) -> None:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")


def _peak_bytes(server: ServerProcess) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0
