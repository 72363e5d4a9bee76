"""Compares what is served with the network it was imported from, character by character."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.network import ForeignNetwork, own_forward
from nextchar_training.foreign.symbols import Symbols
from nextchar_training.text.split import Split

TOLERANCE = 1e-4  # nats, of any one character
_NUM_STRINGS, _NUM_CHARS = 16, 128

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """The largest difference of a character in nats, over `num_chars`; None where the original cannot be run.

    `left_out` is the mean probability that the original gives to symbols which are left out.
    """

    difference: float | None
    left_out: float
    num_chars: int


def compare(
    foreign: ForeignNetwork,
    symbols: Symbols,
    graph: ModelGraph,
    split: Split,
    forward: Callable[[Tensor], Tensor] | None,
) -> Comparison:
    """Compares a graph with the original's own code, if that can be run, on pieces of a text.

    What the original gives to symbols that are left out is shared out among the others before comparing.
    `forward` may give fewer rows than it is given ids, if it reads no more.

    Raises:
        ImportRefused: a character's log-probability differs by more than `TOLERANCE`.
    """
    reference = forward or own_forward(foreign)
    differences, masses, num_chars = [0.0], [], 0
    for piece in _pieces(split):
        ids = _foreign_ids(piece, symbols)
        if not len(ids):
            continue
        kept, mass = _expected(reference, ids, symbols)
        (found,) = symbol_logprobs(graph, [graph.vocabulary.encode(piece)])
        differences.append(float(np.abs(found[: len(kept)] - kept).max()))
        masses.append(mass)
        num_chars += len(kept)
    worst = float(np.max(differences))  # not a number, if one is
    if forward is not None and not worst <= TOLERANCE:
        may_be_relu = foreign.weights.cell == "rnn_tanh" and foreign.taken
        hint = ', or its activation is ReLU: give Hints(cell="rnn_relu")' if may_be_relu else ""
        raise ImportRefused(
            f"what would be served differs from the original by {worst:.1e} nats in a character (limit "
            f"{TOLERANCE:.0e}): the original does something beside embedding, recurrent and "
            f"linear layer{hint}"
        )
    return Comparison(None if forward is None else worst, float(np.mean(masses or [0.0])), num_chars)


def _pieces(split: Split) -> Iterator[str]:
    text = str(split.heldout[: 10**6])
    if split.unit == "line":
        yield from text.split("\n")[:_NUM_STRINGS]
        return
    for start in np.linspace(0, max(0, len(text) - _NUM_CHARS), _NUM_STRINGS).astype(int):
        yield text[start : start + _NUM_CHARS]


def _foreign_ids(piece: str, symbols: Symbols) -> list[int]:
    if symbols.unknown is None and not set(piece) <= set(symbols.characters):
        return []
    return [symbols.characters.get(character, symbols.unknown or 0) for character in piece]


@torch.no_grad()
def _expected(
    reference: Callable[[Tensor], Tensor], ids: list[int], symbols: Symbols
) -> tuple[Doubles, float]:
    """Returns log p of each character by the original, and the mean mass of what is left out."""
    assert symbols.begin is not None, "the network is adopted"
    read = torch.tensor([symbols.begin, *ids[:-1]])
    logprobs = reference(read).double().log_softmax(dim=-1).cpu().numpy()
    ids = ids[: len(logprobs)]
    mass = np.exp(logprobs[:, list(symbols.left_out)]).sum(axis=1)
    kept = logprobs[np.arange(len(ids)), ids] - np.log1p(-mass)
    return kept, float(mass.mean())
