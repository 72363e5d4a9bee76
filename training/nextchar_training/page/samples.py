"""Draws and keeps texts from a network while it trains, at a few temperatures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from nextchar.model.vocabulary import TextDecoder, Vocabulary
from nextchar_training.network.network import CharRNN, zero_state

FILE_NAME = "samples.jsonl"
TEMPERATURES = (0.5, 0.8, 1.0)
NUM_CHARS = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """A text drawn after a step, at a temperature."""

    step: int
    temperature: float
    text: str


@torch.no_grad()
def draw_texts(
    model: CharRNN, vocabulary: Vocabulary, temperatures: Sequence[float], num_chars: int, *, seed: int
) -> list[str]:
    """Draws one text per temperature, side by side, from begin; strings of lines end in a newline.

    The unknown symbol is never drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    divisors = torch.tensor(temperatures)[:, None]
    ids = torch.full((len(temperatures),), vocabulary.begin_id)
    state = zero_state(model.config, len(temperatures))
    texts = ["" for _ in temperatures]
    for _ in range(num_chars):
        logits, state = model(ids[None], state)
        scaled: Tensor = logits[0].float() / divisors
        if vocabulary.unknown_id is not None:
            scaled[:, vocabulary.unknown_id] = -torch.inf
        ids = torch.multinomial(scaled.softmax(1), 1, generator=generator)[:, 0]
        ended = ids == (-1 if vocabulary.end_id is None else vocabulary.end_id)
        for k, symbol_id in enumerate(ids.tolist()):
            texts[k] += "\n" if ended[k] else vocabulary.texts[symbol_id]
        ids = ids.masked_fill(ended, vocabulary.begin_id)
        state = tuple(part.masked_fill(ended[None, :, None], 0.0) for part in state)
    return [TextDecoder(vocabulary).decode(text, final=True) for text in texts]


def keep_samples(folder: Path, step: int, model: CharRNN, vocabulary: Vocabulary) -> None:
    """Draws texts with the weights of a step and appends them to the run's file."""
    texts = draw_texts(model, vocabulary, TEMPERATURES, NUM_CHARS, seed=step)
    with (folder / FILE_NAME).open("a", encoding="utf-8") as file:
        for temperature, text in zip(TEMPERATURES, texts, strict=True):
            file.write(json.dumps(asdict(Sample(step, temperature, text))) + "\n")


def forget_after(folder: Path, step: int) -> None:
    """Removes the texts of steps that a resumed run makes again."""
    kept = [sample for sample in read_samples(folder) if sample.step <= step]
    lines = "".join(json.dumps(asdict(sample)) + "\n" for sample in kept)
    (folder / FILE_NAME).write_text(lines, encoding="utf-8")


def read_samples(folder: Path) -> list[Sample]:
    """Reads the kept texts, oldest first; none if the file is missing."""
    path = folder / FILE_NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Sample(**json.loads(line)) for line in lines]
