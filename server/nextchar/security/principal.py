"""Defines the principal of a request: the owner of its key, and what the key may do.

The middleware of each API sets `PRINCIPAL` for the task that answers; a `RequestContext` that is made there
takes it by default, so that no handler can forget it. Without a file of keys every request has `ANONYMOUS`,
who has all scopes.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from nextchar.errors import PermissionDenied
from nextchar.schemas.limits import MIN_PRIORITY
from nextchar.security.budgets import Allowance, Budget


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
    return PRINCIPAL.get().owner or CLIENT_ADDRESS.get()
