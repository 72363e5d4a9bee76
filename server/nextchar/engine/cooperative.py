"""Runs work of milliseconds on the event loop in parts of less than one, so that other tasks run in between.

A thread would not help: when the system preempts a thread that holds the interpreter lock, the event loop
waits for as long as the system pleases. A part ends where the work's generator yields.
"""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Cooperative = Generator[None, None, T]


async def run_cooperatively(work: "Cooperative[T]") -> T:
    """Runs work to its end, with whatever else the event loop has to do in between; returns its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
