"""Refuses what a page of another origin makes a browser send, on a server that needs no API key.

Without a key, whatever reaches the server may use it, and a page that a person merely visits reaches a server
on their machine: by requests whose answers it cannot read (which change sessions all the same), or under a
name of its own that it has turned to this address (DNS rebinding), where it reads the answers too. A browser
tells both, and a page cannot make it lie: by `Sec-Fetch-Site`, or `Origin`, and by `Host`. Other programs
send neither of the first two.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from nextchar.errors import ForeignRequest

Headers = Iterable[tuple[bytes, bytes]]
_OWN_SITES = {"same-origin", "none"}  # the server's own page, and what a person typed or opened
_READING = {"GET", "HEAD"}
_TOLD = {name.encode(): name for name in ("host", "origin", "sec-fetch-site", "sec-fetch-mode")}
_MAX_SHOWN = 100


class StrangerCheck:
    """Knows the origins whose pages may call the server, and the names by which it may be called.

    Args:
        origins: those of pages, separated by commas, or *.
        hosts: names besides IP addresses and localhost, separated by commas; `*.name` is all below a name.
        checks_host: whether the name matters. With TLS it does not, as no certificate fits a foreign name.
    """

    def __init__(self, *, origins: str, hosts: str = "", checks_host: bool = True) -> None:
        self._origins = set(_words(origins))
        names = set(_words(hosts.lower()))
        self._hosts = {name for name in names if not name.startswith("*")} | {"localhost"}
        self._endings = (".localhost", *(name[1:] for name in names if name.startswith("*")))
        self._checks_host = checks_host

    def check(self, method: str, headers: Headers) -> None:
        """Checks where a request comes from.

        Raises:
            ForeignRequest: from a page of another origin, or it is for a host of another name.
        """
        found = _texts(headers)
        if self._checks_host:
            for host in found["host"]:
                self._check_host(host)
        follows_link = method in _READING and found["sec-fetch-mode"] == ["navigate"]
        if not follows_link and not self._is_own(found):
            origin = next(iter(found["origin"]), "another origin")[:_MAX_SHOWN]
            raise ForeignRequest(
                f"a page of {origin} made this request, and this server needs no API key, so only its own "
                "page may call it; allow others by --cors-origins, or use API keys"
            )

    def _check_host(self, host: str) -> None:
        name = _host_name(host)
        if name in self._hosts or name.endswith(self._endings) or _is_address(name):
            return
        raise ForeignRequest(
            f"the Host header names {name[:_MAX_SHOWN]!r}, which this server is not known by; call it by its "
            "IP address, allow the name by --allowed-hosts, or use API keys",
            param="Host",
        )

    def _is_own(self, found: dict[str, list[str]]) -> bool:
        """Whether no page made the request, or the server's own, or one that may."""
        if "*" in self._origins or (found["origin"] and self._origins.issuperset(found["origin"])):
            return True
        if found["sec-fetch-site"]:
            return _OWN_SITES.issuperset(found["sec-fetch-site"])
        # An older browser, or one that calls neither this machine nor TLS.
        return all(origin.partition("://")[2] in found["host"] for origin in found["origin"])


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _texts(headers: Headers) -> dict[str, list[str]]:
    """Returns the values of what a browser tells, in which a second one must not hide behind the first."""
    found: dict[str, list[str]] = {name: [] for name in _TOLD.values()}
    for key, value in headers:
        if key in _TOLD:
            found[_TOLD[key]].append(value.decode("latin-1"))
    return found


def _host_name(host: str) -> str:
    """Returns the name or the address in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


@lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
