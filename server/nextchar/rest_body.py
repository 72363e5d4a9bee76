"""Between a request's bytes and a call of the service: read within a limit, leave if the client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from nextchar.errors import ClientGone, InputTooLarge, RequestTimeout

T = TypeVar("T")


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body.

    Raises:
        InputTooLarge: as soon as it is known to be longer than `max_bytes`.
        RequestTimeout: it has not come in time.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {timeout_seconds:g} s") from None


async def _read(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(max_bytes: int) -> InputTooLarge:
    return InputTooLarge(f"the body is larger than the limit of {max_bytes} bytes")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; if the client leaves first, the work is cancelled.

    Raises:
        ClientGone: the client left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone("the client left before the answer was ready")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
