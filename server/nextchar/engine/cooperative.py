"""Runs work of milliseconds on the event loop in slices of less than one, so that other tasks run in between.

A thread would not help: when the system preempts a thread that holds the interpreter lock, the event loop
waits for as long as the system pleases. Work may stop wherever its generator yields, and does so when its
slice of time is over: how many strings or characters fit into a slice depends on what they cost.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Cooperative = Generator[None, None, T]

_SLICE_SECONDS = 0.0005
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def run_cooperatively(work: "Cooperative[T]", *, clock: Callable[[], float] = time.perf_counter) -> T:
    """Runs work to its end, with whatever else the event loop has to do in between; returns its result.

    The first slice begins at once. All work that needs more takes turns, so that the loop goes round after
    each slice of any of them, and not after one of each.
    """
    done = _run_slice(work, clock)
    while done is None:
        async with _turn():
            await asyncio.sleep(0)  # while others wait for their turn
            done = _run_slice(work, clock)
    return done.result


@dataclass(frozen=True, slots=True)
class _Done(Generic[T]):
    result: T


def _run_slice(work: "Cooperative[T]", clock: Callable[[], float]) -> _Done[T] | None:
    """Runs work until its slice is over; returns its result, if it has come to its end."""
    until = clock() + _SLICE_SECONDS
    while True:
        try:
            next(work)
        except StopIteration as end:
            return _Done(end.value)
        if clock() >= until:
            return None


def _turn() -> asyncio.Lock:
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
