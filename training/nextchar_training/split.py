"""A corpus cut into training, development and held-out parts, and the vocabulary of the first."""

import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np

from nextchar.vocabulary import Vocabulary
from nextchar_training.corpus import Corpus
from nextchar_training.corpus_error import CorpusError

Unit = Literal["text", "line"]
Normalization = Literal["none", "NFC"]
Unknown = Literal["symbol", "refuse"]

_LINE_ORDER_SEED = 0


@dataclass(frozen=True)
class Split:
    """Three consecutive parts of a text. In the unit `line` each is lines joined by newlines.

    `document_starts` are the offsets in `train` where a document begins.
    """

    unit: Unit
    train: str
    development: str
    heldout: str
    document_starts: tuple[int, ...]
    description: str

    @property
    def before_heldout(self) -> str:
        """All that may be known when the held-out part is read."""
        between = "\n" if self.unit == "line" and self.development else ""
        return self.train + between + self.development


def split_corpus(
    corpus: Corpus,
    *,
    unit: Unit,
    heldout: float,
    development: float,
    normalization: Normalization,
    window: int,
) -> Split:
    """Cut by position: first training, then development, then the held-out part at the end.

    `heldout` is a share of the whole, `development` a share of what is left. Lines are put into one
    fixed random order first, because lists of strings are often sorted; empty lines are dropped.

    Raises:
        CorpusError: a part would be shorter than one window.
    """
    documents = corpus.documents
    if normalization != "none":
        documents = tuple(unicodedata.normalize(normalization, text) for text in documents)
    split = _split_lines if unit == "line" else _split_text
    parts = split(documents, heldout, development)
    if unit == "text" and len(parts.train) <= window:
        raise CorpusError(
            f"corpus {corpus.name!r} is shorter than one window: {len(parts.train)} characters to train on, "
            f"window {window}",
            param="corpus",
        )
    if (development and not parts.development) or not parts.heldout:
        raise CorpusError(
            f"corpus {corpus.name!r} is too short to split: {len(parts.train)} characters to train on, "
            f"{len(parts.development)} for development, {len(parts.heldout)} held out",
            param="corpus",
        )
    return parts


def _cuts(total: int, heldout: float, development: float) -> tuple[int, int]:
    end = int(total * (1 - heldout))
    return int(end * (1 - development)), end


def _split_text(documents: tuple[str, ...], heldout: float, development: float) -> Split:
    text = "".join(documents)
    first, second = _cuts(len(text), heldout, development)
    starts = (0, *accumulate(len(document) for document in documents[:-1]))
    parts = text[:first], text[first:second], text[second:]
    sizes = " + ".join(f"{len(part):,}" for part in parts)
    return Split(
        "text",
        *parts,
        document_starts=tuple(start for start in starts if start < first),
        description=f"contiguous by position: {sizes} characters for training, development, held out",
    )


def _split_lines(documents: tuple[str, ...], heldout: float, development: float) -> Split:
    lines = [line for line in "\n".join(documents).split("\n") if line]
    order = np.random.default_rng(_LINE_ORDER_SEED).permutation(len(lines))
    lines = [lines[i] for i in order]
    first, second = _cuts(len(lines), heldout, development)
    parts = lines[:first], lines[first:second], lines[second:]
    sizes = " + ".join(f"{len(part):,}" for part in parts)
    train, watched, kept = ("\n".join(part) for part in parts)
    return Split(
        unit="line",
        train=train,
        development=watched,
        heldout=kept,
        document_starts=(0,),
        description=f"lines in a fixed random order: {sizes} lines for training, development, held out",
    )


def build_vocabulary(
    split: Split, *, min_count: int, unknown: Unknown, normalization: Normalization
) -> Vocabulary:
    """The training part's characters by code point, those seen at least `min_count` times.

    With `unknown="refuse"` every training character is kept, whatever its count.

    Raises:
        CorpusError: too few characters are left, or (when refusing) a later part has another one.
    """
    counts = Counter(split.train)
    if split.unit == "line":
        counts.pop("\n", None)
    floor = min_count if unknown == "symbol" else 1
    characters = tuple(sorted(c for c, count in counts.items() if count >= floor))
    if len(characters) < 2:
        raise CorpusError(
            f"fewer than two characters occur {floor} times in the training part; lower --min-count",
            param="min_count",
        )
    vocabulary = Vocabulary(characters, split.unit, unknown, normalization)
    extra = (
        set(split.development + split.heldout) - set(characters) - ({"\n"} if split.unit == "line" else set())
    )
    if unknown == "refuse" and extra:
        raise CorpusError(
            f"{min(extra)!r} is in the development or held-out part but never in the training part; "
            "use --unknown symbol",
            param="unknown",
        )
    return vocabulary
