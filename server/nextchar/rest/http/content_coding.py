"""Inflates the bodies of requests that are compressed (Content-Encoding), within the limit of a body.

A few kilobytes can be inflated to gigabytes: it is done in pieces, and ends as soon as they are too many.
"""

import asyncio
import zlib

from starlette.datastructures import Headers

from nextchar.errors import InputTooLarge, InvalidRequest, UnsupportedMediaType

CODINGS = "gzip, deflate"  # that are understood, as the header Accept-Encoding of an answer names them
_HEADER = "Content-Encoding"
_GZIP, _DEFLATE = {"gzip", "x-gzip"}, {"deflate"}
_INPUT_BYTES = 64 * 1024  # inflated at a time; other work of the event loop has its turn in between
_OUTPUT_BYTES = 1024 * 1024
_MAX_SHOWN = 60


def content_coding(headers: Headers) -> str:
    """Returns how a body is compressed: "gzip", "deflate", or "" if it is not.

    Raises:
        UnsupportedMediaType: in another way, or twice.
    """
    given = ", ".join(headers.getlist(_HEADER))
    names = [name.strip().lower() for name in given.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if not codings:
        return ""
    if len(codings) == 1 and codings[0] in _GZIP | _DEFLATE:
        return "gzip" if codings[0] in _GZIP else "deflate"
    raise UnsupportedMediaType(
        f"the header {_HEADER} must be gzip or deflate, once, or be left out (it is {given[:_MAX_SHOWN]!r})",
        param=_HEADER,
    )


async def inflated(content: bytes, coding: str, max_bytes: int) -> bytes:
    """Returns a body as it was before its client compressed it.

    Raises:
        InputTooLarge: it has more than `max_bytes`.
        InvalidRequest: it is not what its coding says, is cut short, or goes on behind its end.
    """
    if not (coding and content):
        return content
    inflater = zlib.decompressobj(_window(coding, content))
    pieces, size, place, may_have_more = [], 0, 0, True
    try:
        while not inflater.eof and may_have_more:
            given = inflater.unconsumed_tail or content[place : place + _INPUT_BYTES]
            place += 0 if inflater.unconsumed_tail else len(given)
            pieces.append(inflater.decompress(given, _OUTPUT_BYTES))
            may_have_more = bool(given)  # zlib keeps a few kilobytes back at most
            size += len(pieces[-1])
            if size > max_bytes:
                raise InputTooLarge(
                    f"the inflated body must have at most {max_bytes} bytes; send it in several requests"
                )
            await asyncio.sleep(0)
    except zlib.error:
        raise _damaged(coding, "is damaged, or is not compressed so") from None
    if not inflater.eof:
        raise _damaged(coding, "is cut short")
    if inflater.unused_data or place < len(content):
        raise _damaged(coding, "goes on behind the end of what is compressed")
    return b"".join(pieces)


def _window(coding: str, content: bytes) -> int:
    """Returns zlib's `wbits` for a body: deflate is meant with zlib's head, and often sent without."""
    if coding == "gzip":
        return 16 + zlib.MAX_WBITS
    has_head = content[0] & 0x0F == zlib.DEFLATED and int.from_bytes(content[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS


def _damaged(coding: str, fault: str) -> InvalidRequest:
    return InvalidRequest(
        f"the header {_HEADER} says {coding}, and the body {fault}", param=_HEADER, code="invalid_body"
    )
