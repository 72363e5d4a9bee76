"""Cuts a corpus into training, development and held-out parts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from nextchar_training.text.code_points import Text, Unit, joined
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.error import CorpusError

SplitBy = Literal["position", "document"]

_ORDER_SEED = 0


@dataclass(frozen=True)
class Split:
    """The three parts of a text. In the unit `line` each part is lines joined by newlines.

    `document_starts` are the offsets in `train` where a document begins.
    """

    unit: Unit
    train: Text
    development: Text
    heldout: Text
    document_starts: tuple[int, ...]
    description: str

    def before_heldout(self, max_chars: int | None = None) -> Text:
        """Returns the text before the held-out part, or its last `max_chars` characters."""
        between = [Text.of("\n")] * (self.unit == "line" and len(self.development) > 0)
        whole = joined([self.train, *between, self.development]) if len(self.development) else self.train
        return whole if max_chars is None else whole[max(0, len(whole) - max_chars) :]


def split_corpus(
    corpus: Corpus,
    *,
    unit: Unit,
    heldout: float,
    development: float,
    window: int = 1,
    by: SplitBy = "position",
) -> Split:
    """Cuts a corpus: first training, then development, then the held-out part at the end.

    `heldout` is a share of the whole and `development` a share of the rest; from 1 on they are numbers of
    characters or distinct lines. By document, whole documents are held out, chosen in a fixed random order.
    Lines are put into a fixed random order first, because lists of strings are often sorted; empty ones are
    dropped. All copies of a line are in one part: no string that is held out was trained on.

    Raises:
        CorpusError: a part would be shorter than one window.
    """
    if unit == "line":
        split = _split_lines(corpus, heldout, development)
    elif by == "document":
        split = _split_documents(corpus, heldout, development)
    else:
        split = _split_positions(corpus, heldout, development)
    return checked(split, corpus.name, window, development)


def given_split(train: Corpus, development: Corpus | None, heldout: Corpus, *, unit: Unit) -> Split:
    """Makes a split of parts that are texts of their own."""
    parts = [train.text, development.text if development else Text.of(""), heldout.text]
    if unit == "line":
        given = [_lines(corpus) if corpus else [] for corpus in (train, development, heldout)]
        parts = [Text.of("\n".join(lines)) for lines in given]
    sizes = " + ".join(f"{len(part):,}" for part in parts)
    split = Split(
        unit=unit,
        train=parts[0],
        development=parts[1],
        heldout=parts[2],
        document_starts=train.document_starts if unit == "text" else (0,),
        description=f"given: {sizes} characters for training, development, held out",
    )
    return checked(split, train.name, 1, 1.0 if development else 0.0)


def checked(split: Split, name: str, window: int, development: float) -> Split:
    """Returns the split if its training part is longer than a window and no other part is empty.

    Raises:
        CorpusError: it is too short.
    """
    if split.unit == "text" and len(split.train) <= window:
        raise CorpusError(
            f"corpus {name!r} is shorter than one window: {len(split.train)} characters to train on, "
            f"window {window}; lower --window, or give more text",
            param="corpus",
        )
    if (development and not len(split.development)) or not len(split.heldout):
        raise CorpusError(
            f"corpus {name!r} is too short to split: {len(split.train)} characters to train on, "
            f"{len(split.development)} for development, {len(split.heldout)} held out; give more text, or "
            "change --heldout or --development",
            param="corpus",
        )
    return split


def _cuts(total: int, heldout: float, development: float) -> tuple[int, int]:
    end = total - int(heldout) if heldout >= 1 else int(total * (1 - heldout))
    middle = end - int(development) if development >= 1 else int(end * (1 - development))
    return max(0, middle), max(0, end)


def _split_positions(corpus: Corpus, heldout: float, development: float) -> Split:
    text = corpus.text
    first, second = _cuts(len(text), heldout, development)
    parts = text[:first], text[first:second], text[second:]
    return Split(
        unit="text",
        train=parts[0],
        development=parts[1],
        heldout=parts[2],
        document_starts=tuple(start for start in corpus.document_starts if start < first),
        description=f"contiguous by position: {_sizes(parts)} characters for training, development, held out",
    )


def _documents(corpus: Corpus) -> list[Text]:
    """Returns the documents of a corpus, whose texts are all of its text."""
    ends = (*corpus.document_starts[1:], len(corpus.text))
    return [corpus.text[start:end] for start, end in zip(corpus.document_starts, ends, strict=True)]


def _lines(corpus: Corpus) -> list[str]:
    """Returns the lines of a corpus but empty ones; the end of a document ends its last line."""
    return [line for document in _documents(corpus) for line in str(document).split("\n") if line]


def _split_documents(corpus: Corpus, heldout: float, development: float) -> Split:
    documents = _documents(corpus)
    order = np.random.default_rng(_ORDER_SEED).permutation(len(documents)).tolist()
    reached = list(accumulate((len(documents[k]) for k in order), initial=0))
    first, second = _cuts(len(corpus.text), heldout, development)
    groups = [
        sorted(k for k, at in zip(order, reached, strict=False) if low <= at < high)
        for low, high in pairwise((0, first, second, len(corpus.text)))
    ]
    parts = [joined([documents[k] for k in group]) for group in groups]
    starts = accumulate((len(documents[k]) for k in groups[0][:-1]), initial=0)
    return Split(
        unit="text",
        train=parts[0],
        development=parts[1],
        heldout=parts[2],
        document_starts=tuple(starts),
        description=f"whole documents in a fixed random order: {'+'.join(str(len(g)) for g in groups)} "
        f"documents, {_sizes(parts)} characters for training, development, held out",
    )


def _split_lines(corpus: Corpus, heldout: float, development: float) -> Split:
    lines = _lines(corpus)
    distinct = list(dict.fromkeys(lines))
    cuts = _cuts(len(distinct), heldout, development)
    order = np.random.default_rng(_ORDER_SEED).permutation(len(distinct)).tolist()
    place = {distinct[k]: sum(rank >= cut for cut in cuts) for rank, k in enumerate(order)}
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for k in np.random.default_rng(_ORDER_SEED).permutation(len(lines)).tolist():
        parts[place[lines[k]]].append(lines[k])
    train, held_back, last = (Text.of("\n".join(part)) for part in parts)
    copies = "" if len(distinct) == len(lines) else f" ({len(distinct):,} of them distinct)"
    return Split(
        unit="line",
        train=train,
        development=held_back,
        heldout=last,
        document_starts=(0,),
        description=f"in a fixed random order: {_sizes(parts)} lines{copies} for training, development, held "
        "out",
    )


def _sizes(parts: Sequence[Text | list[str]]) -> str:
    return " + ".join(f"{len(part):,}" for part in parts)


def split_digest(split: Split) -> str:
    """Returns the SHA-256 of the three parts; equal digests are equal texts, cut alike."""
    digest = hashlib.sha256()
    for part in (split.train, split.development, split.heldout):
        digest.update(len(part).to_bytes(8, "little"))
        for chunk in part.chunks():
            digest.update(chunk.tobytes())
    return digest.hexdigest()
