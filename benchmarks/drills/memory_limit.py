"""Sends the largest requests, floods and bombs to a server that may have one gibibyte of memory."""

import random
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import grpc
import httpx

from benchmarks.drills.cgroup import memory_cgroup
from benchmarks.drills.extremes import Extreme, combined, extremes, messages
from benchmarks.drills.process import ServerProcess, served
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_LIMIT_BYTES = 1 << 30
_AT_ONCE = 8
_ANSWER_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_PIPELINED_BYTES, _FLOOD_CALLS = 60_000_000, 1_000
_SETTLE_SECONDS = 20.0
_UNLIMITED = [("grpc.max_receive_message_length", -1)]


@dataclass(slots=True)
class MemoryReport:
    """Reports what a server has lived through."""

    seconds: float
    is_alive: bool = False
    num_kills: int = 0
    before_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    health_seconds: list[float] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)  # the slowest look at health during each request

    @property
    def health_p99_seconds(self) -> float:
        return sorted(self.health_seconds)[int(0.99 * len(self.health_seconds))]

    @property
    def has_health(self) -> bool:
        return self.health_p99_seconds <= 0.25

    @property
    def has_given_back(self) -> bool:
        return 0 < self.after_bytes <= 1.2 * self.before_bytes

    @property
    def figures(self) -> dict[str, object]:
        return {
            "seconds": self.seconds,
            "is_alive": self.is_alive,
            "num_kills": self.num_kills,
            "before_bytes": self.before_bytes,
            "peak_bytes": self.peak_bytes,
            "after_bytes": self.after_bytes,
            "answers": dict(self.answers),
            "health_p99_seconds": self.health_p99_seconds,
            "worst_seconds": self.worst,
        }


def memory_limit(
    models: Path, model: str, *, seconds: float, seed: int, arguments: list[str]
) -> MemoryReport:
    """Runs the drill for about so many seconds; needs the right to make cgroups."""
    report, draw = MemoryReport(seconds), random.Random(seed)
    with memory_cgroup(_LIMIT_BYTES) as group, served(models, *arguments, enter=group.enter) as server:
        limits = httpx.get(f"http://127.0.0.1:{server.port}/v1/limits").json()["request"]
        _send(server, extremes(model, limits)[0], report)  # warm: each part of the server has worked once
        report.before_bytes = server.memory_bytes
        end, known = time.monotonic() + seconds, extremes(model, limits)
        with _watched_health(server, report) as during:
            for one in known:
                during(one.name)
                _send(server, one, report)
            while time.monotonic() < end and server.is_alive:
                act, name = draw.choice(_acts(server, known, model, limits, draw, report))
                during(name)
                act()
        time.sleep(_SETTLE_SECONDS)
        report.after_bytes, report.is_alive = server.memory_bytes, server.is_alive
        report.num_kills, report.peak_bytes = group.num_kills, group.max_bytes
    return report


def _acts(
    server: ServerProcess,
    known: list[Extreme],
    model: str,
    limits: dict[str, int],
    draw: random.Random,
    report: MemoryReport,
) -> list[tuple[Callable[[], None], str]]:
    """Returns what may be done next: one request alone or eight at once, a flood, a bomb."""
    one = draw.choice([*known, combined(model, limits, draw)])
    others = [draw.choice([*known, combined(model, limits, draw)]) for _ in range(_AT_ONCE)]
    eight = f"{_AT_ONCE} × {one.name}"
    return [
        (lambda: _send(server, one, report), one.name),
        (lambda: _send_all(server, [one] * _AT_ONCE, report), eight),
        (lambda: _send_all(server, others, report), f"{_AT_ONCE} others"),
        (lambda: _pipeline(server, draw.choice([known[0].path, "/livez"])), "pipelining"),
        (lambda: _flood(server, model, report), "gRPC flood"),
        (lambda: _call_all(server, draw.choice(messages(model, limits)), report), f"{_AT_ONCE} × gRPC"),
    ]


def _send_all(server: ServerProcess, requests: list[Extreme], report: MemoryReport) -> None:
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(lambda one: _send(server, one, report), requests))


def _send(server: ServerProcess, one: Extreme, report: MemoryReport) -> None:
    """Sends a request, reads its answer and throws it away."""
    url = f"http://127.0.0.1:{server.port}{one.path}"
    headers = {"content-type": "application/json"}
    try:
        with httpx.stream(
            "POST", url, content=one.body(), headers=headers, timeout=_ANSWER_SECONDS
        ) as answer:
            for _ in answer.iter_raw():
                pass
        report.answers[str(answer.status_code)] += 1
    except httpx.HTTPError as error:
        report.answers[type(error).__name__] += 1


def _pipeline(server: ServerProcess, path: str) -> None:
    """Sends requests over one connection and never reads an answer, until the server stops reading."""
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
    chunk, num_sent = request * 1000, 0
    with socket.create_connection(("127.0.0.1", server.port)) as connection, suppress(OSError):
        connection.settimeout(2.0)
        while num_sent < _PIPELINED_BYTES:
            num_sent += connection.send(chunk)


def _flood(server: ServerProcess, model: str, report: MemoryReport) -> None:
    """Makes many gRPC calls at once over one connection."""
    request = pb.ScoreRequest(model=model, input=["hello"])
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        score = nextchar_pb2_grpc.NextcharStub(channel).Score
        calls = [score.future(request, timeout=_ANSWER_SECONDS) for _ in range(_FLOOD_CALLS)]
        for call in calls:
            report.answers[call.code().name] += 1


def _call_all(
    server: ServerProcess, message: pb.ScoreRequest | pb.CompletionRequest, report: MemoryReport
) -> None:
    """Makes one call of the largest size eight times at once."""

    def call(_number: int) -> str:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", _UNLIMITED) as channel:
            stub = nextchar_pb2_grpc.NextcharStub(channel)
            try:
                if isinstance(message, pb.ScoreRequest):
                    stub.Score(message, timeout=_ANSWER_SECONDS)
                else:
                    deque(stub.Complete(message, timeout=_ANSWER_SECONDS), maxlen=0)
            except grpc.RpcError as error:
                return str(error.code().name)
            return "OK"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        report.answers.update(pool.map(call, range(_AT_ONCE)))


@contextmanager
def _watched_health(server: ServerProcess, report: MemoryReport) -> Iterator[Callable[[str], None]]:
    """Looks at the server's health all the time; notes the slowest look during what is named."""
    stop, now = threading.Event(), [""]

    def watch() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            while not stop.wait(_LOOK_SECONDS):
                name, started = now[0], time.monotonic()
                with suppress(httpx.HTTPError, HTTPException):
                    client.get("/livez")
                took = time.monotonic() - started
                report.health_seconds.append(took)
                report.worst[name] = max(took, report.worst.get(name, 0.0))

    def during(name: str) -> None:
        now[0] = name

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield during
    finally:
        stop.set()
        thread.join()
