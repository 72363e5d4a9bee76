"""Says what a principal needs for a route or a method, and checks that its key has it.

Each API gives the needs of its own table of routes; what is in no table is refused.
"""

from typing import Final

from nextchar.security.principal import Principal, Scope

OPEN: Final = "open"  # no key is needed: health, and the files of the page, which asks for one
ANY: Final = "any"  # any valid key will do

Need = str | Scope


def permit(principal: Principal, need: Need) -> None:
    """Checks that a principal has what is needed.

    Raises:
        PermissionDenied: the key does not have the scope.
    """
    if isinstance(need, Scope):
        principal.require(need)
