"""Measures the surprise of each character of a text, and what was expected in its place."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import IGNORED
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.protocols import WARM_CHARS, Matrices, predictions
from nextchar_training.network.network import CharRNN
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

NUM_CHARS = 2000


@dataclass(slots=True)
class Surprise:
    """The characters of a text (a newline for the end of a line), their bits, and a note on each."""

    characters: list[str] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, vocabulary: Vocabulary, symbol_id: int, bits: float, more: str = "") -> None:
        """Adds the next character, with `more` at the end of its note."""
        end = symbol_id == vocabulary.end_id
        self.characters.append("\n" if end else vocabulary.shown(vocabulary.texts[symbol_id]))
        self.bits.append(bits)
        self.notes.append(f"{vocabulary.label(symbol_id)!r}: {bits:.2f} bits{more}")


def heldout_surprise(model: CharRNN, vocabulary: Vocabulary, split: Split) -> Surprise:
    """Measures the first 2,000 held-out characters, each after all before it; each line from begin."""
    found = Surprise()
    for logits, wanted in predictions(model, _groups(vocabulary, split)):
        logprobs = logits.double().log_softmax(1).numpy()
        for here, symbol_id in zip(logprobs, wanted.tolist(), strict=True):
            likeliest = int(here.argmax())
            expected = (
                f"; most probable: {vocabulary.label(likeliest)!r} with p = {math.exp(here[likeliest]):.2f}"
            )
            found.add(vocabulary, symbol_id, float(-here[symbol_id] / math.log(2)), expected)
    return found


def _groups(vocabulary: Vocabulary, split: Split) -> Iterator[Matrices]:
    """Yields each line by itself, so that they stay in their sequence; or the whole text."""
    text = split.heldout[:NUM_CHARS]
    if split.unit == "line":
        lines = EncodedLines(text, vocabulary)
        yield from (lines.matrices(np.array([row])) for row in range(len(lines.lengths)))
        return
    before = encode(vocabulary, split.before_heldout(WARM_CHARS)).astype(np.int64)
    whole = np.concatenate([[vocabulary.begin_id], before, encode(vocabulary, text)])
    targets = whole[1:].copy()
    targets[: len(before)] = IGNORED
    yield whole[:-1, None], targets[:, None]
