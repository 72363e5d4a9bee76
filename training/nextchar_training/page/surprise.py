"""Measures the surprise of each character of a text, and what was expected in its place."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import IGNORED
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.protocols import WARM_CHARS, Matrices
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


@torch.no_grad()
def heldout_surprise(model: CharRNN, vocabulary: Vocabulary, split: Split) -> Surprise:
    """Measures the first 2,000 held-out characters, each after all before it; each line from begin."""
    found = Surprise()
    inputs, targets = _matrices(vocabulary, split)
    logits, _ = model(torch.from_numpy(inputs))
    logprobs = logits.double().log_softmax(2).numpy()
    for lane, time in np.argwhere(targets.T != IGNORED).tolist():
        here, symbol_id = logprobs[time, lane], int(targets[time, lane])
        likeliest = int(here.argmax())
        expected = (
            f"; most probable: {vocabulary.label(likeliest)!r} with p = {math.exp(here[likeliest]):.2f}"
        )
        found.add(vocabulary, symbol_id, float(-here[symbol_id] / math.log(2)), expected)
    return found


def _matrices(vocabulary: Vocabulary, split: Split) -> Matrices:
    text = split.heldout[:NUM_CHARS]
    if split.unit == "line":
        lines = EncodedLines(text, vocabulary)
        return lines.matrices(np.arange(len(lines.lengths)))
    before = encode(vocabulary, split.before_heldout(WARM_CHARS)).astype(np.int64)
    whole = np.concatenate([[vocabulary.begin_id], before, encode(vocabulary, text)])
    targets = whole[1:].copy()
    targets[: len(before)] = IGNORED
    return whole[:-1, None], targets[:, None]
