"""Loads a text to train on, by name or by path, with its provenance."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from nextchar.model.text_form import CaseFolding, Normalization
from nextchar_training.option import recorded_path
from nextchar_training.text.code_points import Symbols, Text, TextBuilder
from nextchar_training.text.error import CorpusError
from nextchar_training.text.files import find_files, read_pieces
from nextchar_training.text.named import NAMED

# `spaced`: a space after every character, and `_` for the space itself, as Penn Treebank is distributed.
Layout = Literal["plain", "spaced"]


@dataclass(frozen=True)
class Corpus:
    """A text, the offsets at which its documents start, and its provenance.

    `sha256` is of the whole text in UTF-8 before case folding and normalisation; a recorded run is checked
    against it.
    """

    name: str
    text: Text
    document_starts: tuple[int, ...]
    sha256: str
    licence: str
    source: str


def load_corpus(
    name_or_path: str,
    *,
    symbols: Symbols = "characters",
    normalization: Normalization = "none",
    case_folding: CaseFolding = "none",
    pattern: str = "*",
    layout: Layout = "plain",
) -> Corpus:
    """Loads the named corpus, or the text of a file, or of a folder's files that match a pattern.

    Each document of a named corpus and each file is one document.

    Raises:
        CorpusError: the text is missing or unreadable, or nothing can be learned from it; or the case of
            bytes is to be folded.
    """
    if symbols == "bytes" and case_folding != "none":
        raise CorpusError(
            f"case_folding must be none when symbols is bytes (it is {case_folding})", param="case_folding"
        )
    named = NAMED.get(name_or_path)
    builder = TextBuilder(normalization, symbols, case_folding)
    if named is not None:
        for document in named.read():
            builder.begin_document()
            builder.add(document if symbols == "characters" else document.encode().decode("latin-1"))
        return _checked(name_or_path, builder, named.licence, named.source)
    path = Path(name_or_path)
    for file in _files(path, pattern):
        builder.begin_document()
        for piece in read_pieces(file, symbols, is_one_of_many=path.is_dir()):
            builder.add(piece if layout == "plain" else piece.replace(" ", "").replace("_", " "))
    kind = "folder" if path.is_dir() else "file"
    name = recorded_path(name_or_path)
    return _checked(PurePath(name).stem, builder, "not stated", f"{kind} {name}")


def _files(path: Path, pattern: str) -> list[Path]:
    if not path.exists():
        raise CorpusError(
            f"corpus must be a file, a folder or one of {', '.join(NAMED)} (is {str(path)!r})", param="corpus"
        )
    return find_files(path, pattern)


def _checked(name: str, builder: TextBuilder, licence: str, source: str) -> Corpus:
    text, sha256 = builder.build()
    seen = [chr(code) for code in text.counts().nonzero()[0]]
    if not any(not character.isspace() for character in seen):
        raise CorpusError(
            f"corpus {name!r} is empty: it needs at least two distinct characters", param="corpus"
        )
    distinct = [character for character in seen if character != "\n"]
    if len(distinct) < 2:
        raise CorpusError(
            f"corpus {name!r} must have at least two distinct characters (it has only {distinct[0]!r})",
            param="corpus",
        )
    return Corpus(name, text, tuple(builder.document_starts), sha256, licence, source)
