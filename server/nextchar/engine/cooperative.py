"""Work of milliseconds in slices of less than one, so that an event loop can do other things in between.

Another thread would not help: whoever holds the interpreter when the processor is taken away from it holds
up everybody for as long as the system pleases. A slice ends where its generator yields.
"""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Slices = Generator[None, None, T]


async def in_slices(work: "Slices[T]") -> T:
    """The result of work, with whatever else the event loop has to do in between."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
