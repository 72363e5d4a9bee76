"""Defines the principal of a request: the owner of its key, and what the key may do.

The middleware of each API sets `PRINCIPAL` for the task that answers; a `RequestContext` that is made there
takes it by default, so that no handler can forget it. Without a file of keys every request has `ANONYMOUS`,
who has all scopes.
"""

import ipaddress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from nextchar.errors import PermissionDenied
from nextchar.schemas.limits import MIN_PRIORITY
from nextchar.security.budgets import Allowance, Budget

_HOST_BITS = 64  # of an IPv6 address: the network that one host, or one household, is given


class Scope(StrEnum):
    """Names what a key may be allowed to do."""

    INFER = "infer"  # score, next, complete, inspect, tokenize
    SESSIONS = "sessions"  # the sessions of its owner
    ADMIN = "admin"  # load and unload models
    METRICS = "metrics"  # /metrics on the port of REST


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """Holds the owner and the scopes of a key; all keys of an owner see the same sessions."""

    key_id: str
    owner: str
    scopes: frozenset[Scope]
    budget: Budget
    best_priority: int = MIN_PRIORITY  # the lowest number that its requests may have

    def require(self, scope: Scope) -> None:
        """Checks that the key has a scope.

        Raises:
            PermissionDenied: the key does not have it.
        """
        if scope not in self.scopes:
            has = ", ".join(sorted(self.scopes))
            raise PermissionDenied(f"this needs the scope {scope.value!r}; the key {self.key_id} has: {has}")


ANONYMOUS = Principal("", "", frozenset(Scope), Budget(Allowance()))
PRINCIPAL: ContextVar[Principal] = ContextVar("principal", default=ANONYMOUS)
# Where the request comes from. Those of one proxy, or one host, have one address.
CLIENT_ADDRESS: ContextVar[str] = ContextVar("client_address", default="")


def sharer() -> str:
    """Returns whose turn a request takes where work is done in turns: its owner's, else its address's."""
    return PRINCIPAL.get().owner or _host_of(CLIENT_ADDRESS.get())


@lru_cache(maxsize=1024)
def _host_of(address: str) -> str:
    """Returns one text for all addresses of one host, which has 2⁶⁴ of them in IPv6.

    A socket of both IPv6 and IPv4 writes those of IPv4 in another way than one of IPv4 alone.
    """
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, _HOST_BITS), strict=False))
