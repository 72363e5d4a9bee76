"""Checks that every panel of the page has a section in docs/playground.md."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "playground.md").read_text()


def test_every_panel_has_a_section() -> None:
    tabs = re.findall(r'role="tab"[^>]*>(\w+)<', (_ROOT / "server/nextchar/rest/web/index.html").read_text())
    assert tabs
    assert re.findall(r"^## (\w+)$", _PAGE, re.MULTILINE) == tabs
