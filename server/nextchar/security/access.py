"""Decides what a principal may do: finds the scope that a path needs, and checks that the key has it.

Each API gives the needs of its own table of routes; what is in no table is refused.
"""

from collections.abc import Iterable, Mapping

from nextchar.errors import RouteNotFound
from nextchar.security.principal import Principal, Scope

OPEN = "open"  # no key is needed: health, and the files of the page, which asks for one
ANY = "any"  # any valid key will do

Need = str | Scope


class AccessTable:
    """Finds the need of a path among templates; a {…} part matches any one part of a path."""

    def __init__(self, needs: Mapping[str, Need]) -> None:
        self._exact = {path: need for path, need in needs.items() if "{" not in path}
        self._tree: dict[str, object] = {}
        for path, need in needs.items():
            _plant(self._tree, path.split("/"), need)

    def need(self, path: str) -> Need | None:
        """The need of the path; None if no template matches it."""
        exact = self._exact.get(path)
        return exact if exact is not None else _walk(self._tree, path.split("/"))


def _plant(tree: dict[str, object], parts: Iterable[str], need: Need) -> None:
    for part in parts:
        branch = tree.setdefault("{}" if part.startswith("{") else part, {})
        assert isinstance(branch, dict)
        tree = branch
    tree["/"] = need  # no part of a path holds a slash


def _walk(tree: dict[str, object], parts: list[str]) -> Need | None:
    if not parts:
        need = tree.get("/")
        return need if isinstance(need, str) else None
    for name in (parts[0], "{}"):
        branch = tree.get(name)
        if isinstance(branch, dict) and (need := _walk(branch, parts[1:])) is not None:
            return need
    return None


def permit(principal: Principal, need: Need | None) -> None:
    """Checks that a principal has what is needed.

    Raises:
        RouteNotFound: no table names the need, so there is no such route.
        PermissionDenied: the key does not have the scope.
    """
    if need is None:
        raise RouteNotFound("there is no such route")
    if isinstance(need, Scope):
        principal.require(need)
