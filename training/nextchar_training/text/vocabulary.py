"""Builds the vocabulary of a text, and encodes texts as its ids."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.model.card import MAX_CHARACTERS
from nextchar.model.text_form import CaseFolding, Normalization
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.text import code_points as text_module
from nextchar_training.text.code_points import Symbols, Text, mapped, unnamed_file
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split

Unknown = Literal["symbol", "refuse"]
Ids = NDArray[Any]  # of any width

_NEWLINE = ord("\n")


def build_vocabulary(
    split: Split,
    *,
    min_count: int,
    unknown: Unknown,
    normalization: Normalization,
    symbols: Symbols = "characters",
    case_folding: CaseFolding = "none",
) -> Vocabulary:
    """Builds the vocabulary of the training part's characters that occur at least `min_count` times.

    With `unknown="refuse"` every training character is kept, whatever its count. The vocabulary of bytes is
    all 256, whatever the text.

    Raises:
        CorpusError: fewer than two characters are left or more than a card holds, or (when refusing) a later
            part has another one.
    """
    if symbols == "bytes":
        return Vocabulary(tuple(map(chr, range(256))), split.unit, "refuse", "none", "bytes")
    counts = split.train.counts()
    if split.unit == "line":
        counts[_NEWLINE] = 0
    floor = min_count if unknown == "symbol" else 1
    characters = tuple(chr(code) for code in np.flatnonzero(counts >= floor))
    if len(characters) < 2:
        raise CorpusError(
            f"at least two characters must occur {floor} times in the training part "
            f"({len(characters)} do): lower --min-count",
            param="min_count",
        )
    if len(characters) > MAX_CHARACTERS:
        raise CorpusError(
            f"the training part has {len(characters):,} characters (limit {MAX_CHARACTERS:,}): raise "
            "--min-count with --unknown symbol, or give --symbols bytes",
            param="min_count",
        )
    if unknown == "refuse":
        _check_known(split, characters)
    return Vocabulary(characters, split.unit, unknown, normalization, case_folding=case_folding)


def extend_vocabulary(vocabulary: Vocabulary, split: Split, *, min_count: int) -> Vocabulary:
    """Adds the training part's characters that a vocabulary lacks and that occur `min_count` times.

    Raises:
        CorpusError: there are more characters than a card holds, or (when refusing) a later part has another.
    """
    if vocabulary.symbols == "bytes":
        return vocabulary
    counts = split.train.counts()
    counts[[ord(character) for character in vocabulary.characters]] = 0
    if split.unit == "line":
        counts[_NEWLINE] = 0
    floor = 1 if vocabulary.unknown == "refuse" else min_count
    characters = (*vocabulary.characters, *(chr(code) for code in np.flatnonzero(counts >= floor)))
    if len(characters) > MAX_CHARACTERS:
        raise CorpusError(
            f"the model and the training part have {len(characters):,} characters (limit "
            f"{MAX_CHARACTERS:,}): raise --min-count",
            param="min_count",
        )
    if vocabulary.unknown == "refuse":
        _check_known(split, characters)
    return replace(vocabulary, characters=characters)


def _check_known(split: Split, characters: tuple[str, ...]) -> None:
    later = split.development.counts() + split.heldout.counts()
    extra = {chr(code) for code in later.nonzero()[0]} - set(characters)
    if split.unit == "line":
        extra.discard("\n")
    if extra:
        raise CorpusError(
            f"{min(extra)!r} is in the development or held-out part but never in the training part; "
            "use --unknown symbol",
            param="unknown",
        )


def check_readable(split: Split, vocabulary: Vocabulary) -> None:
    """Checks that a model has every character of a text by which it is to be measured.

    Raises:
        CorpusError: it lacks one, and has no symbol for unknown characters.
    """
    if vocabulary.unknown == "symbol" or vocabulary.symbols == "bytes":
        return
    counts = split.train.counts() + split.development.counts() + split.heldout.counts()
    extra = {chr(code) for code in counts.nonzero()[0]} - set(vocabulary.characters)
    if split.unit == "line":
        extra.discard("\n")
    if extra:
        raise CorpusError(
            f"the text must have characters of the model alone, which has no symbol for others (has "
            f"{min(extra)!r}): give another text, or leave such characters out",
            param="corpus",
        )


def encode(vocabulary: Vocabulary, text: Text) -> Ids:
    """Encodes a text in its normal form, in the narrowest type; into a mapped file if it is large.

    Raises:
        KeyError: as `Vocabulary.encode`.
    """
    dtype = "<u1" if vocabulary.num_inputs <= 2**8 else "<u2" if vocabulary.num_inputs <= 2**16 else "<i4"
    chunks = (vocabulary.encode_code_points(chunk).astype(dtype) for chunk in text.chunks())
    if len(text) <= text_module.MAX_CHARS_IN_MEMORY:
        return np.concatenate([np.empty(0, dtype=dtype), *chunks])
    file = unnamed_file()
    for chunk in chunks:
        file.write(chunk.tobytes())
    return mapped(file, dtype, len(text))
