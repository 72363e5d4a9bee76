"""Between a request's bytes and a call of the service: read within a limit, leave if the client leaves."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from nextchar.errors import ClientGone, InputTooLarge, RequestTimeout

T = TypeVar("T")


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body.

    Raises:
        InputTooLarge: as soon as it is known to be longer than `max_bytes`.
        RequestTimeout: it has not come in time.
        ClientGone: the client left.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {timeout_seconds:g} s") from None
    except ClientDisconnect:
        raise ClientGone("the client left before its request was whole") from None


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


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """The work's result; if the client leaves first, the work is cancelled.

    The body must be read before: whoever waits for the client to leave takes what else it says.

    Raises:
        ClientGone: the client left.
    """
    task, leaving = asyncio.current_task(), asyncio.ensure_future(_left(request))
    assert task is not None
    gone = False

    def leave(_: object) -> None:
        nonlocal gone
        gone = task.cancel()

    leaving.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        # As asyncio.timeout does: who else cancelled us has the last word.
        if gone and task.uncancel() == 0:
            raise ClientGone("the client left before the answer was ready") from None
        raise
    finally:
        leaving.remove_done_callback(leave)
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
