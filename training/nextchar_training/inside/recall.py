"""Trains networks on the recall task: remember one of eight symbols over a lag of others, and name it.

After Hochreiter & Schmidhuber 1997. A cell solves the task only if its gradients and states last as long as
the lag, because no symbol in between helps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nextchar.model.card import Cell
from nextchar_training.network.network import CharRNN, ModelConfig

NUM_SYMBOLS = 8
_NOISE = 4  # filler symbols
_ASK = NUM_SYMBOLS + _NOISE
_BATCH_SIZE, _HIDDEN_SIZE, _RATE, _CLIP = 64, 64, 3e-3, 1.0
_CHECK_EVERY, _SOLVED = 25, 0.99


@dataclass(frozen=True, slots=True)
class Recall:
    """The accuracy on fresh examples at the last check (0.125 by chance), and the steps until then."""

    cell: Cell
    lag: int
    accuracy: float
    steps: int

    @property
    def solved(self) -> bool:
        """Whether 99 % of fresh examples are right."""
        return self.accuracy >= _SOLVED


def train_recall(cell: Cell, lag: int, *, max_steps: int, seed: int = 0) -> Recall:
    """Trains a network of one layer of 64 units until it solves the task, or for `max_steps`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CharRNN(ModelConfig(cell, _ASK + 1, NUM_SYMBOLS, 16, _HIDDEN_SIZE, 1))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), _RATE)
    accuracy = 0.0
    for step in range(1, max_steps + 1):
        ids, wanted = _examples(lag, generator)
        loss = functional.cross_entropy(_answer(model, ids), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()
        if step % _CHECK_EVERY == 0 or step == max_steps:
            accuracy = _accuracy(model, lag, generator)
            if accuracy >= _SOLVED:
                return Recall(cell, lag, accuracy, step)
    return Recall(cell, lag, accuracy, max_steps)


def _examples(lag: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws ids [lag + 2, batch], the symbol first and the question last, and the symbols [batch]."""
    wanted = torch.randint(NUM_SYMBOLS, (_BATCH_SIZE,), generator=generator)
    noise = torch.randint(NUM_SYMBOLS, _ASK, (lag, _BATCH_SIZE), generator=generator)
    asked = torch.full((1, _BATCH_SIZE), _ASK)
    return torch.cat([wanted[None], noise, asked]), wanted


def _answer(model: CharRNN, ids: Tensor) -> Tensor:
    logits, _ = model(ids)
    last: Tensor = logits[-1]
    return last


@torch.no_grad()
def _accuracy(model: CharRNN, lag: int, generator: torch.Generator) -> float:
    ids, wanted = _examples(lag, generator)
    return float((_answer(model, ids).argmax(1) == wanted).double().mean())
