"""A text to train on, by name or by path, and where it comes from."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nextchar_training import shakespeare
from nextchar_training.corpus_error import CorpusError

NAMED = ("shakespeare",)


@dataclass(frozen=True)
class Corpus:
    """A text as an ordered tuple of documents, with its provenance."""

    name: str
    documents: tuple[str, ...]
    licence: str
    source: str

    @cached_property
    def text(self) -> str:
        """All documents, one after the other."""
        return "".join(self.documents)

    @cached_property
    def sha256(self) -> str:
        """Digest of the whole text in UTF-8: what a recorded run is checked against."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


def load_corpus(name_or_path: str) -> Corpus:
    """The named corpus, or the UTF-8 text file at a path as one document.

    Raises:
        CorpusError: there is no such text, or it is not one that can be learned from.
    """
    if name_or_path in NAMED:
        plays = shakespeare.read_plays()
        return _checked(Corpus("shakespeare", plays, shakespeare.LICENCE, shakespeare.SOURCE))
    path = Path(name_or_path)
    return _checked(Corpus(path.stem, (_read_text(path),), "not stated", f"file {path.name}"))


def _checked(corpus: Corpus) -> Corpus:
    distinct = set(corpus.text) - {"\n"}
    if not corpus.text.strip():
        raise CorpusError(f"corpus {corpus.name!r} is empty", param="corpus")
    if len(distinct) < 2:
        only = sorted(distinct)[0]
        raise CorpusError(
            f"corpus {corpus.name!r} has a single distinct character, {only!r}: nothing to learn",
            param="corpus",
        )
    return corpus


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        known = ", ".join(NAMED)
        raise CorpusError(
            f"no corpus named {str(path)!r} ({known}) and no such file", param="corpus"
        ) from None
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r}: {error.strerror}", param="corpus") from None
    if b"\0" in raw:
        raise CorpusError(
            f"{str(path)!r} is binary: it has NUL bytes; a corpus is UTF-8 text", param="corpus"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{str(path)!r} is not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}",
            param="corpus",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
