"""Reads what a proxy in front says of the address that its clients use."""

import re

from starlette.datastructures import Headers

FORWARDED_PREFIX = "X-Forwarded-Prefix"
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


def forwarded_prefix(headers: Headers) -> str:
    """Returns the path that a proxy has taken off the front of paths, as `/models`; "" if it says none.

    What is no plain path is ignored: it becomes a part of links.
    """
    given = headers.get(FORWARDED_PREFIX, "").rstrip("/")
    return given if _PREFIX.fullmatch(given) else ""
