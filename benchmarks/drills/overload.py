"""More than it can hold: how much is done, what the others are told, how long those wait who are let in."""

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.drills.process import ServerProcess

TIMES = 4  # the load it can hold
_REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it was sent and answered (monotonic seconds), and what the answer says."""

    sent: float
    answered: float
    status: int
    retry_after_seconds: float | None
    retry_after_ms: float | None
    queue_ms: float | None
    timed_out: bool = False  # let in, and refused when it had waited too long

    @property
    def refused(self) -> bool:
        return self.status in _REFUSALS


@dataclass(frozen=True, slots=True)
class OverloadReport:
    """`true_within` are, for each refusal with a witness, told over true wait; see `told_over_true`."""

    peak_per_second: float
    goodput_per_second: float
    num_accepted: int
    num_refused: int
    num_other: int
    num_without_advice: int
    told_over_true: tuple[float, ...]
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
        """Of the refusals with a witness, those whose advice was true within a factor of two."""
        good = sum(0.5 <= ratio <= 2.0 for ratio in self.told_over_true)
        return good / max(1, len(self.told_over_true))


def request(model: str, num_chars: int) -> bytes:
    """A completion, which takes as many steps as it says."""
    body = json.dumps({"model": model, "prompt": "", "max_tokens": num_chars, "seed": 1}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}"
    head += "\r\n\r\n"
    return head.encode() + body


async def ask(port: int, content: bytes) -> Asked:
    """Send a request over a connection of its own."""
    sent = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    answer = await reader.read(-1)
    answered = time.monotonic()
    writer.close()
    head, _, _ = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    told = [headers.get(name) for name in ("retry-after", "retry-after-ms", "x-queue-time")]
    numbers = [None if value is None else float(value) for value in told]
    return Asked(sent, answered, int(lines[0].split()[1]), *numbers, timed_out=b'"queue_timeout"' in answer)


async def at_once(port: int, content: bytes, num_clients: int, seconds: float) -> list[Asked]:
    """So many clients, each asking again as soon as it is answered."""
    end = time.monotonic() + seconds

    async def client() -> list[Asked]:
        asked = []
        while time.monotonic() < end:
            asked.append(await ask(port, content))
        return asked

    return [one for many in await asyncio.gather(*(client() for _ in range(num_clients))) for one in many]


async def at_rate(port: int, content: bytes, per_second: float, seconds: float) -> list[Asked]:
    """Requests at a steady rate, whatever becomes of those before."""
    started, tasks = time.monotonic(), []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        tasks.append(asyncio.create_task(ask(port, content)))
    return await asyncio.gather(*tasks)


def overload(
    server: ServerProcess, model: str, *, num_chars: int, num_lanes: int, seconds: float
) -> OverloadReport:
    """Find what the server can hold, then send it four times that."""
    content = request(model, num_chars)
    alone = asyncio.run(ask(server.port, content))
    first = _peak(server.port, content, num_lanes, seconds)
    before, started = server.memory_bytes, time.monotonic()
    asked = asyncio.run(at_rate(server.port, content, TIMES * first, seconds))
    goodput = _done(asked, started + seconds / 4, started + seconds) / (seconds * 3 / 4)
    after = server.memory_bytes
    # Before and after: a machine that others use is not equally fast all the time.
    peak = (first + _peak(server.port, content, num_lanes, seconds)) / 2
    accepted = [one for one in asked if one.status == 200]
    times = sorted(one.answered - one.sent for one in accepted)
    return OverloadReport(
        peak_per_second=peak,
        goodput_per_second=goodput,
        num_accepted=len(accepted),
        num_refused=sum(one.refused for one in asked),
        num_other=sum(not one.refused and one.status != 200 for one in asked),
        num_without_advice=sum(one.refused and one.retry_after_seconds is None for one in asked),
        told_over_true=told_over_true(asked),
        p50_seconds=times[len(times) // 2],
        p99_seconds=times[int(len(times) * 0.99)],
        alone_seconds=alone.answered - alone.sent,
        memory_before_bytes=before,
        memory_after_bytes=after,
    )


def _peak(port: int, content: bytes, num_lanes: int, seconds: float) -> float:
    """What it does in a second when all rows are in use and few wait."""
    started = time.monotonic()
    held = asyncio.run(at_once(port, content, num_lanes + num_lanes // 2, seconds))
    return _done(held, started + seconds / 4, started + seconds) / (seconds * 3 / 4)


def _done(asked: Sequence[Asked], since: float, until: float) -> int:
    return sum(one.status == 200 and since <= one.answered < until for one in asked)


def told_over_true(asked: Sequence[Asked]) -> tuple[float, ...]:
    """Of each refusal, the wait it was told (Retry-After) over the wait there was.

    The true one is that of its witness, the last who was let in before it: the line that the refused one
    would have stood in is gone when that one has its row. One that waited in vain is no witness.
    """
    let_in = sorted((one for one in asked if one.status == 200 or one.timed_out), key=lambda one: one.sent)
    ratios = []
    for one in asked:
        index = bisect_right(let_in, one.answered, key=lambda other: other.sent) - 1
        if one.refused and index >= 0 and one.retry_after_seconds is not None:
            witness = let_in[index]
            true = witness.sent + (witness.queue_ms or 0.0) / 1000 - one.answered
            if true > 0 and not witness.timed_out:
                ratios.append(one.retry_after_seconds / true)
    return tuple(ratios)
