"""Measures contenders side by side: they take turns, and the median of the rounds counts.

Two shared cores are noisy, so only ratios of figures from one run mean anything.
"""

import statistics
import time
from argparse import ArgumentTypeError
from collections.abc import Callable

Task = Callable[[], int]  # does some work, returns how many characters it was


def rates(contenders: dict[str, Task], *, rounds: int = 5, seconds: float = 0.4) -> dict[str, float]:
    """Returns characters per second of each contender: the median over rounds in which they take turns."""
    for work in contenders.values():
        work()  # first calls allocate
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            seen[name].append(_rate(work, seconds))
    return {name: statistics.median(values) for name, values in seen.items()}


def _rate(work: Task, seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        count += work()
    return count / elapsed


def positive(told: str) -> int:
    """Reads how often something is measured; for argparse, which prefixes its errors with the option.

    Raises:
        ArgumentTypeError: it is no whole number from 1 on.
    """
    if not told.isdecimal() or int(told) == 0:
        raise ArgumentTypeError(f"{told!r} is no whole number from 1 on")
    return int(told)
