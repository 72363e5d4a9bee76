"""Says who a request is from and what its key may do.

The middleware of each API sets `PRINCIPAL` for the task that answers; a `RequestContext` made there takes it
by default, so that no handler can forget it. Without a keys file everybody is `ANONYMOUS`, who may do all.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from nextchar.errors import PermissionDenied
from nextchar.schemas.limits import MIN_PRIORITY
from nextchar.security.budgets import Allowance, Budget


class Scope(StrEnum):
    """What a key may be allowed to do."""

    INFER = "infer"  # score, next, complete, and what tells about models
    SESSIONS = "sessions"  # sessions of its owner
    ADMIN = "admin"  # load and unload models
    METRICS = "metrics"  # /metrics on the port of REST


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """A key's owner and scopes; keys of one owner see the same sessions."""

    key_id: str
    owner: str
    scopes: frozenset[Scope]
    budget: Budget
    best_priority: int = MIN_PRIORITY  # the lowest number it may ask for

    def require(self, scope: Scope) -> None:
        """Raises PermissionDenied where the key has not this scope."""
        if scope not in self.scopes:
            has = ", ".join(sorted(self.scopes))
            raise PermissionDenied(f"this needs the scope {scope.value!r}; the key {self.key_id} has: {has}")


ANONYMOUS = Principal("", "", frozenset(Scope), Budget(Allowance()))
PRINCIPAL: ContextVar[Principal] = ContextVar("caller", default=ANONYMOUS)
