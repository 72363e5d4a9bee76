"""Overloads a server: measures goodput, the advice of refusals, and the latency of accepted requests."""

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.drills.process import ServerProcess

TIMES = 4  # the load that the server can hold
_REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Records one request: when it was sent and answered (monotonic seconds), and its response."""

    sent: float
    answered: float
    status: int
    retry_after_seconds: float | None
    retry_after_ms: float | None
    queue_ms: float | None
    timed_out: bool = False  # queued, and refused when it had waited too long

    @property
    def refused(self) -> bool:
        return self.status in _REFUSALS


@dataclass(frozen=True, slots=True)
class OverloadReport:
    """Reports an overload; `advised_over_true` has a ratio for each refusal with a witness."""

    peak_per_second: float
    goodput_per_second: float
    num_accepted: int
    num_refused: int
    num_other: int
    num_without_retry_after: int
    advised_over_true: tuple[float, ...]
    p50_seconds: float
    p99_seconds: float
    alone_seconds: float
    memory_before_bytes: int
    memory_after_bytes: int

    @property
    def share_of_peak(self) -> float:
        return self.goodput_per_second / self.peak_per_second

    @property
    def share_true(self) -> float:
        """The share of refusals with a witness whose Retry-After was within a factor of two."""
        good = sum(0.5 <= ratio <= 2.0 for ratio in self.advised_over_true)
        return good / max(1, len(self.advised_over_true))


def request(model: str, num_chars: int) -> bytes:
    """Returns a completion request, which takes as many steps as it has characters."""
    body = json.dumps({"model": model, "prompt": "", "max_tokens": num_chars, "seed": 1}).encode()
    head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}"
    head += "\r\n\r\n"
    return head.encode() + body


async def send(port: int, content: bytes) -> Attempt:
    """Sends a request over a connection of its own."""
    sent = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    answer = await reader.read(-1)
    answered = time.monotonic()
    writer.close()
    head, _, _ = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    advised = [headers.get(name) for name in ("retry-after", "retry-after-ms", "x-queue-time")]
    numbers = [None if value is None else float(value) for value in advised]
    return Attempt(sent, answered, int(lines[0].split()[1]), *numbers, timed_out=b'"queue_timeout"' in answer)


async def at_once(port: int, content: bytes, num_clients: int, seconds: float) -> list[Attempt]:
    """Runs so many clients, each sending a request as soon as the last is answered."""
    end = time.monotonic() + seconds

    async def client() -> list[Attempt]:
        attempts = []
        while time.monotonic() < end:
            attempts.append(await send(port, content))
        return attempts

    return [one for many in await asyncio.gather(*(client() for _ in range(num_clients))) for one in many]


async def at_rate(port: int, content: bytes, per_second: float, seconds: float) -> list[Attempt]:
    """Sends requests at a steady rate, whether or not the ones before are answered."""
    started, tasks = time.monotonic(), []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        tasks.append(asyncio.create_task(send(port, content)))
    return await asyncio.gather(*tasks)


def overload(
    server: ServerProcess, model: str, *, num_chars: int, num_lanes: int, seconds: float
) -> OverloadReport:
    """Finds the load that the server can hold, then sends it four times as much."""
    content = request(model, num_chars)
    alone = asyncio.run(send(server.port, content))
    first = _peak(server.port, content, num_lanes, seconds)
    before, started = server.memory_bytes, time.monotonic()
    attempts = asyncio.run(at_rate(server.port, content, TIMES * first, seconds))
    goodput = _done(attempts, started + seconds / 4, started + seconds) / (seconds * 3 / 4)
    after = server.memory_bytes
    # Before and after: a shared machine is not equally fast all the time.
    peak = (first + _peak(server.port, content, num_lanes, seconds)) / 2
    accepted = [one for one in attempts if one.status == 200]
    times = sorted(one.answered - one.sent for one in accepted)
    return OverloadReport(
        peak_per_second=peak,
        goodput_per_second=goodput,
        num_accepted=len(accepted),
        num_refused=sum(one.refused for one in attempts),
        num_other=sum(not one.refused and one.status != 200 for one in attempts),
        num_without_retry_after=sum(one.refused and one.retry_after_seconds is None for one in attempts),
        advised_over_true=advised_over_true(attempts),
        p50_seconds=times[len(times) // 2],
        p99_seconds=times[int(len(times) * 0.99)],
        alone_seconds=alone.answered - alone.sent,
        memory_before_bytes=before,
        memory_after_bytes=after,
    )


def _peak(port: int, content: bytes, num_lanes: int, seconds: float) -> float:
    """Returns the requests per second when all rows are active and few requests wait."""
    started = time.monotonic()
    held = asyncio.run(at_once(port, content, num_lanes + num_lanes // 2, seconds))
    return _done(held, started + seconds / 4, started + seconds) / (seconds * 3 / 4)


def _done(attempts: Sequence[Attempt], since: float, until: float) -> int:
    return sum(one.status == 200 and since <= one.answered < until for one in attempts)


def advised_over_true(attempts: Sequence[Attempt]) -> tuple[float, ...]:
    """Returns for each refusal its Retry-After divided by the true wait.

    The true wait is that of its witness, the last request queued before it: the queue that the refused one
    would have joined is gone when the witness gets its row. A request that timed out is no witness.
    """
    queued = sorted((one for one in attempts if one.status == 200 or one.timed_out), key=lambda one: one.sent)
    ratios = []
    for one in attempts:
        index = bisect_right(queued, one.answered, key=lambda other: other.sent) - 1
        if one.refused and index >= 0 and one.retry_after_seconds is not None:
            witness = queued[index]
            true = witness.sent + (witness.queue_ms or 0.0) / 1000 - one.answered
            if true > 0 and not witness.timed_out:
                ratios.append(one.retry_after_seconds / true)
    return tuple(ratios)
