"""Checks that the files and folders that the documentation names exist."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGES = [
    "README.md",
    "models/README.md",
    "tests/README.md",
    *(f"docs/{path.name}" for path in (_ROOT / "docs").glob("*.md")),
]
_PLACES = [
    "",
    "server/nextchar",
    "server/nextchar/engine",
    "training/nextchar_training",
    "tests",
    "tests/engine",
]
_NAMED = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|json|yaml|proto|cfg|yml))`")


@pytest.mark.parametrize("page", _PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = set(_NAMED.findall((_ROOT / page).read_text()))
    missing = {name for name in named if not any((_ROOT / place / name).exists() for place in _PLACES)}
    assert missing == set()


def test_every_folder_in_the_readmes_table_exists() -> None:
    base, found = _ROOT, []
    for line in (_ROOT / "README.md").read_text().partition("## Where things are")[2].splitlines():
        for name in re.findall(r"`(…/)?([\w./-]+)`", line.partition(" | ")[0]):
            place = (base if name[0] else _ROOT) / name[1]
            assert place.exists(), name
            found.append(place)
            if name[1] in ("server/nextchar/", "training/nextchar_training/"):
                base = place
    for package in (_ROOT / "server/nextchar", _ROOT / "training/nextchar_training"):
        folders = {path for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
        assert folders <= {path.resolve() for path in found}
