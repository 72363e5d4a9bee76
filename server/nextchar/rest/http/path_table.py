"""Finds what a table says of a path, whose rows are templates such as /v1/sessions/{session_id}/feed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")
_ANY_PART = "{}"


class PathTable(Generic[V]):
    """Finds the value of a path among templates; a {…} part matches any one part of a path."""

    def __init__(self, values: Mapping[str, V]) -> None:
        self._exact = {path: value for path, value in values.items() if "{" not in path}
        self._tree: _Branch[V] = _Branch()
        for path, value in values.items():
            self._tree.plant(path.split("/"), value)

    def find(self, path: str) -> V | None:
        """Returns the value of the path; None if no template matches it."""
        exact = self._exact.get(path)
        return exact if exact is not None else self._tree.walk(path.split("/"))


@dataclass(slots=True)
class _Branch(Generic[V]):
    """Holds what follows one part of a path, and the value of the path that ends here."""

    parts: "dict[str, _Branch[V]]" = field(default_factory=dict)
    value: V | None = None

    def plant(self, parts: list[str], value: V) -> None:
        branch = self
        for part in parts:
            branch = branch.parts.setdefault(_ANY_PART if part.startswith("{") else part, _Branch())
        branch.value = value

    def walk(self, parts: list[str]) -> V | None:
        if not parts:
            return self.value
        for name in (parts[0], _ANY_PART):
            branch = self.parts.get(name)
            if branch is not None and (found := branch.walk(parts[1:])) is not None:
                return found
        return None
