"""Chooses what happens to the store, and when, from a seed."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.drills.doubled.valkey import BreakableValkey

KINDS = ("pause", "kill", "fail over", "fill", "evict")
_GAP_SECONDS = (0.2, 1.5)  # between two faults
_EVICTED_SHARE = (0.02, 0.1)  # of the sessions


@dataclass(frozen=True)
class Fault:
    """One thing that happens to the store, after a gap of seconds without any."""

    kind: str
    gap: float
    seconds: float
    share: float

    def strike(self, store: BreakableValkey) -> None:
        if self.kind == "pause":
            store.pause(self.seconds)
        elif self.kind == "kill":
            store.kill(self.seconds)
        elif self.kind == "fail over":
            store.fail_over()
        elif self.kind == "fill":
            store.fill(self.seconds)
        else:
            store.evict(self.seconds, self.share)


def faults(seed: int) -> Iterator[Fault]:
    """Yields faults without end; each kind comes once before one comes again."""
    draw = random.Random(seed)
    while True:
        for kind in draw.sample(KINDS, len(KINDS)):
            # A pause may be longer than the two seconds that a server waits for its store, or much shorter.
            seconds = draw.choice([draw.uniform(0.1, 0.6), draw.uniform(1.0, 3.0)])
            gap, share = draw.uniform(*_GAP_SECONDS), draw.uniform(*_EVICTED_SHARE)
            yield Fault(kind, gap, seconds, share)


def strike(store: BreakableValkey, seed: int, seconds: float) -> Counter[str]:
    """Breaks a store for so many seconds, and leaves it whole; returns how often it was broken how."""
    struck, ends = Counter[str](), time.monotonic() + seconds
    for fault in faults(seed):
        if time.monotonic() + fault.gap + fault.seconds > ends:
            break
        time.sleep(fault.gap)
        fault.strike(store)
        struck[fault.kind] += 1
    return struck
