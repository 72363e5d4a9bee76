"""Looks at a text before it is trained on: what it is made of, and whether each line is a string."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nextchar_training.text.code_points import Text, Unit
from nextchar_training.text.corpus import Corpus

MAX_INSPECTED_CHARS = 8_000_000  # of longer texts the lines of the start are looked at
# A text is read as one string a line if it has this many lines, and nearly all of them are short, even and
# of few words, and neither paragraphs nor indentation show that lines belong together.
MIN_LINES = 100
SHORT_CHARS, SHORT_SHARE = 64, 0.95
EVEN_RATIO = 5  # the length of the line that is longer than 95 in 100, over that of the middle one
MAX_MEAN_WORDS = 3.0
MAX_EMPTY_SHARE, MAX_INDENTED_SHARE = 0.01, 0.01

_NEWLINE = ord("\n")


@dataclass(frozen=True, slots=True)
class LineFacts:
    """The lines of a text that are not empty; shares are of all lines. `median_chars` is without the end."""

    num_lines: int
    median_chars: int
    short_share: float
    even: bool
    mean_words: float
    empty_share: float
    indented_share: float
    is_sorted: bool
    num_equal: int
    """The lines that are equal to an earlier one."""

    @property
    def unit(self) -> Unit:
        """`line` if each line is a string of its own by the rule above, else `text`."""
        strings = (
            self.num_lines >= MIN_LINES
            and self.short_share >= SHORT_SHARE
            and self.even
            and self.mean_words <= MAX_MEAN_WORDS
            and self.empty_share <= MAX_EMPTY_SHARE
            and self.indented_share <= MAX_INDENTED_SHARE
        )
        return "line" if strings else "text"


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What a text is made of; a text longer than `MAX_INSPECTED_CHARS` has the lines of its start only."""

    num_chars: int
    num_documents: int
    num_characters: int
    """The number of different characters, newlines included."""
    lines: LineFacts
    newlines: tuple[str, ...]
    """The kinds of line ends in the files: `LF`, `CRLF` and `CR`."""

    @property
    def covers_all(self) -> bool:
        """Whether the lines are those of the whole text."""
        return self.num_chars <= MAX_INSPECTED_CHARS


def inspect_text(corpus: Corpus, newlines: tuple[str, ...] = ()) -> TextFacts:
    """Looks at a text; takes a second for one of `MAX_INSPECTED_CHARS` or more."""
    text = corpus.text
    return TextFacts(
        num_chars=len(text),
        num_documents=len(corpus.document_starts),
        num_characters=int(np.count_nonzero(text.counts())),
        lines=inspect_lines(text[:MAX_INSPECTED_CHARS]),
        newlines=newlines,
    )


def inspect_lines(text: Text) -> LineFacts:
    """Looks at the lines of a text."""
    every = str(text).split("\n")
    every = every[:-1] if not every[-1] else every
    lines = [line for line in every if line]
    lengths = np.array([len(line) for line in lines] or [0])
    middle, long = np.percentile(lengths, [50, 95], method="nearest")
    return LineFacts(
        num_lines=len(lines),
        median_chars=int(middle),
        short_share=float((lengths <= SHORT_CHARS).mean()),
        even=bool(long <= EVEN_RATIO * middle),
        mean_words=sum(line.count(" ") for line in lines) / max(1, len(lines)) + 1,
        empty_share=1 - len(lines) / max(1, len(every)),
        indented_share=sum(line[0].isspace() for line in lines) / max(1, len(lines)),
        is_sorted=len(lines) > 1 and all(a <= b for a, b in pairwise(lines)),
        num_equal=len(lines) - len(set(lines)),
    )


def describe_text_facts(
    facts: TextFacts, name: str, unit: Unit, *, chosen: bool, is_cut: bool = True
) -> list[str]:
    """Says in whole sentences what was found, and as what the text is read; `chosen` by the rule.

    Where the text is not cut, since another one is held out, nothing is said of how its lines are parted.
    """
    ends = f"; lines end in {' and '.join(facts.newlines)}" if facts.newlines else ""
    changed = ", which are read as LF" if set(facts.newlines) - {"LF"} else ""
    documents = f" in {facts.num_documents:,} documents" if facts.num_documents > 1 else ""
    said = [
        f"{name}: {facts.num_chars:,} characters{documents}, {facts.num_characters:,} different ones"
        f"{ends}{changed}",
        _reading(facts, unit, chosen=chosen),
    ]
    return said + (_about_lines(facts.lines) if unit == "line" and is_cut else [])


def _reading(facts: TextFacts, unit: Unit, *, chosen: bool) -> str:
    lines = facts.lines
    start = "" if facts.covers_all else f"the first {MAX_INSPECTED_CHARS:,} characters have "
    noun = "line" if lines.num_lines == 1 else "lines"
    found = f"{start}{lines.num_lines:,} {noun} of {lines.median_chars:,} characters"
    if not chosen:
        return f"{found}: reading it as {_WORDS[unit]}"
    other: Unit = "text" if unit == "line" else "line"
    return f"{found}: reading it as {_WORDS[unit]}; --unit {other} for {_WORDS[other]}"


_WORDS: dict[Unit, str] = {"line": "one string a line", "text": "running text"}


def _about_lines(lines: LineFacts) -> list[str]:
    said = []
    if lines.is_sorted:
        said.append("the lines are sorted: they are put into a random order before a part is held out")
    if lines.num_equal:
        said.append(
            f"{lines.num_equal:,} lines equal an earlier one: all copies of a line stay in one part, so none "
            "that is held out is trained on"
        )
    return said
