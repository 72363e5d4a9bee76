"""Reads from source what a scanner for secrets looks at: long names, and literals without spaces."""

import re
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path

_LOOKED_AT = re.compile(
    r"(?<=[\"'])[A-Za-z0-9+/=_.:-]{16,80}(?=[\"'])"  # a literal
    r"|(?<![\w])[A-Za-z_][A-Za-z0-9_]{15,79}(?![\w])"  # a name
)
_TESTS = {"test", "tests", "idle_test"}


def standard_library() -> set[str]:
    """Returns the strings of the standard library, without its tests."""
    root = Path(sysconfig.get_paths()["stdlib"])
    left_out = _TESTS | {"site-packages", "dist-packages", "__pycache__"}
    paths = sorted(root.rglob("*.py"))
    return set(_distinct(path for path in paths if left_out.isdisjoint(path.relative_to(root).parts)))


def of_packages(names: Iterable[str]) -> list[str]:
    """Returns the distinct strings of installed packages, without their tests."""
    files = [
        Path(str(found.locate_file(file)))
        for found in map(distribution, names)
        for file in found.files or ()
        if file.suffix == ".py" and _TESTS.isdisjoint(file.parts)
    ]
    return _distinct(sorted(files))


def _distinct(files: Iterable[Path]) -> list[str]:
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return list(dict.fromkeys(string for text in texts for string in strings_of(text)))


def strings_of(source: str) -> Iterator[str]:
    """Yields the names and literals of a file that a scanner looks at, from 16 to 80 characters."""
    yield from _LOOKED_AT.findall(source)
