"""Writes figures as tables of Markdown, as the pages of docs/ have them."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns the lines of a table, the last one ended too."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def between(page: str, name: str) -> str:
    """Returns what a page has between the marks of a name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = _marks(name)
    return page[page.index(begin) + len(begin) : page.index(end)]


def replaced(page: str, name: str, text: str) -> str:
    """Returns a page with other text between the marks of a name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = _marks(name)
    return page[: page.index(begin) + len(begin)] + text + page[page.index(end) :]


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
