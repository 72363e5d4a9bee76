"""Reads the body of a request within its limits, and cancels work when the client disconnects."""

import asyncio
import codecs
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from nextchar.errors import ClientGone, InputTooLarge, InvalidRequest, RequestTimeout, UnsupportedMediaType
from nextchar.rest.http.content_coding import content_coding, inflated
from nextchar.schemas.base import validated
from nextchar.schemas.item_limits import DEFAULT_ITEMS, ItemLimits

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAX_SHOWN = 60
_BROWSERS = {"origin", "sec-fetch-site"}  # headers that browsers alone send


@dataclass(frozen=True, slots=True)
class BodyRules:
    """Says how bodies are read: what happens to unknown fields, None as the schema says, and how many items
    they may have.
    """

    items: ItemLimits = DEFAULT_ITEMS
    extra: Literal["ignore"] | None = None

    def read_json(self, schema: type[Model], content: bytes) -> Model:
        """Reads a body strictly, in one pass; a byte order mark before it has no meaning.

        Raises:
            InvalidRequest: it is not JSON, has too many items or does not fit the schema.
        """
        text = content.removeprefix(codecs.BOM_UTF8)
        if text.startswith(_UTF16):
            raise InvalidRequest("the body is not valid JSON: it is UTF-16; send UTF-8", code="invalid_json")
        self.items.check_json(text)
        return validated(lambda: schema.model_validate_json(text, extra=self.extra))


def check_is_json(headers: Headers) -> None:
    """Checks that a body is called JSON, which a page of another origin may not do without being allowed to.

    A program that does not name a type at all, as Triton's client, means JSON; a browser sends any body so.

    Raises:
        UnsupportedMediaType: it is called something else.
    """
    given = headers.get("content-type")
    if given is None and not (_has_body(headers) and _BROWSERS.intersection(headers.keys())):
        return
    name = (given or "").partition(";")[0].strip().lower()
    if name != "application/json":
        shown = f"is {given[:_MAX_SHOWN]!r}" if given else "is missing"
        raise UnsupportedMediaType(
            f"the header Content-Type must be application/json ({shown}); with curl, write --json for -d",
            param="Content-Type",
        )


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """Reads the whole body, and inflates it if it is compressed.

    Raises:
        UnsupportedMediaType: it is compressed otherwise than by gzip or deflate.
        InvalidRequest: what is compressed is damaged.
        InputTooLarge: as soon as the body is known to be longer than `max_bytes`, inflated or not.
        RequestTimeout: the body has not arrived in time.
        ClientGone: the client disconnected.
    """
    coding = content_coding(request.headers)
    try:
        async with asyncio.timeout(timeout_seconds):
            content = await _read(request, max_bytes)
    except TimeoutError:
        raise RequestTimeout(f"the body did not arrive within {timeout_seconds:g} s") from None
    except ClientDisconnect:
        raise ClientGone("the client disconnected before its request was complete") from None
    return await inflated(content, coding, max_bytes)


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
    return InputTooLarge(f"the body must have at most {max_bytes} bytes; send it in several requests")


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Awaits work, and cancels it if the client disconnects first.

    The body must have been read: waiting for the disconnection consumes whatever else the client sends.

    Raises:
        ClientGone: the client disconnected.
    """
    task, leaving = asyncio.current_task(), asyncio.ensure_future(_disconnected(request))
    assert task is not None
    gone = False

    def leave(_: object) -> None:
        nonlocal gone
        gone = task.cancel()

    leaving.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        # As asyncio.timeout does: another cancellation takes precedence.
        if gone and task.uncancel() == 0:
            raise ClientGone("the client disconnected before the answer was ready") from None
        raise
    finally:
        leaving.remove_done_callback(leave)
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
