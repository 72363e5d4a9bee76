"""Defines the rows that other people's engines are given, and the functions that add columns to them."""

from typing import Any

from nextchar.batch import Judge, Score

CLASSES: dict[str, Any] = {"score": Score, "judge": Judge}
ARGUMENTS: dict[str, Any] = {"column": "name", "num_threads": 1}
NUM_ROWS = 4000


def names() -> list[str | None]:
    """Returns different strings, some of them missing, and some of a kind that a judge may know."""
    return [None if i % 1000 == 7 else f"{'xy' * (i % 5)}{i:x}" for i in range(NUM_ROWS)]


def strings() -> list[str]:
    """Returns the names that are not missing."""
    return [name for name in names() if name is not None]


def function(adds: str, path: str) -> Any:
    """Returns what adds columns to tables, by the model or the judge at a path."""
    return CLASSES[adds](path, **ARGUMENTS)
