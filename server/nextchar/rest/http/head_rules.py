"""Says which heads of requests are refused, although they can be parsed: RFC 9112 asks it of a server.

What is refused would be read in two ways by a proxy and by us, or lose a part of its meaning.
"""

import re
from dataclasses import dataclass

_VERSIONS = {"1.0", "1.1"}
_HOST = re.compile(rb"(\[[0-9A-Za-z:.%_~-]+\]|[^\x00-\x20\x7f-\xff\[\]\"#/:<>?@\\^`{|}]*)(:[0-9]*)?")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_MAX_SHOWN = 60


@dataclass
class HeadRefused(Exception):
    """Stops the parser: a head is refused with this status, and its connection is closed."""

    status: int
    message: str
    code: str = "invalid_http"


def check_head(method: str, version: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Checks a head that has come whole; names of headers are in lower case.

    Raises:
        HeadRefused: the request is not answered.
    """
    if version not in _VERSIONS:
        raise HeadRefused(505, f"the server speaks HTTP/1.1 and HTTP/1.0 (this is HTTP/{version})")
    if method == "CONNECT":
        raise HeadRefused(501, "the server is no proxy: it does not serve CONNECT", "not_implemented")
    _check_host(version, [value for name, value in headers if name == b"host"])
    _check_codings(version, [value for name, value in headers if name == b"transfer-encoding"])


def origin_form(target: bytes) -> bytes:
    """Returns the path and the query of a request's target, which may be a whole URL, or * for the server."""
    if target == b"*":
        return b"/"
    given = _ABSOLUTE.match(target)
    if given is None:
        return target
    rest = target[given.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def _check_host(version: str, hosts: list[bytes]) -> None:
    if len(hosts) > 1:
        raise HeadRefused(400, f"the header Host must come once (it comes {len(hosts)} times)")
    if not hosts and version == "1.1":
        raise HeadRefused(400, "the header Host is missing; HTTP/1.1 requires it")
    if hosts and not _HOST.fullmatch(hosts[0]):
        shown = hosts[0][:_MAX_SHOWN].decode("latin-1")
        raise HeadRefused(400, f"the header Host must be a name or an address, and a port (it is {shown!r})")


def _check_codings(version: str, given: list[bytes]) -> None:
    if not given:
        return
    if version == "1.0":
        raise HeadRefused(400, "HTTP/1.0 has no Transfer-Encoding; send Content-Length, or HTTP/1.1")
    codings = b",".join(given).decode("latin-1").strip()
    if codings.lower() != "chunked":
        raise HeadRefused(
            501,
            f"Transfer-Encoding must be chunked (it is {codings[:_MAX_SHOWN]!r}); name the coding of a "
            "compressed body by Content-Encoding: gzip or deflate",
            "not_implemented",
        )
