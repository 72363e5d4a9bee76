"""Proves before an export that `model.onnx` and the float32 step graph compute what torch computes.

Torch runs in float64: in float32 it differs from that more than either graph does, on improbable symbols.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nextchar.errors import ModelFileError
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar.model.vocabulary import Ids
from nextchar_training.network.network import CharRNN, zero_state
from nextchar_training.text.code_points import Text
from nextchar_training.text.split import Split

# In nats per character over a string, and in nats of any one character: there a 2 × 512 LSTM that was trained
# for long differs by up to 3.4e-5, and torch in float32 by 8.0e-5, on a symbol of log p -18.6.
TOLERANCE = 1e-5
SINGLE_TOLERANCE = 5e-5
_NUM_STRINGS = 32
_NUM_CHARS = 128
_MAX_CHARS = 10**6


@dataclass(frozen=True)
class Difference:
    """The largest difference from torch: of a string in nats per character, of one character in nats."""

    string: float
    single: float

    def holds(self) -> bool:
        """Returns whether both differences are within the tolerances."""
        return self.string <= TOLERANCE and self.single <= SINGLE_TOLERANCE


@dataclass(frozen=True)
class Proof:
    """The differences of model.onnx and the float32 step graph from torch."""

    sequence: Difference
    step: Difference
    num_chars: int


def prove(model: CharRNN, sequence: ModelGraph, step: ModelGraph, split: Split) -> Proof:
    """Compares both graphs with torch on held-out text.

    Raises:
        ModelFileError: a graph differs by more than the tolerances.
    """
    everything = np.arange(step.vocabulary.num_outputs, dtype=np.int64)
    strings = [*_strings(split, step), everything]
    exact = copy.deepcopy(model).double()
    expected = [_torch_logprobs(exact, ids) for ids in strings]
    proof = Proof(
        sequence=_difference(_logprobs(sequence, strings), expected),
        step=_difference(_logprobs(step, strings), expected),
        num_chars=sum(map(len, strings)),
    )
    for name, found in (("model.onnx", proof.sequence), ("the float32 step graph", proof.step)):
        if not found.holds():
            raise ModelFileError(
                f"{name} differs from torch by {found.string:.1e} nats per character (limit {TOLERANCE:.0e})"
                f", in one character by {found.single:.1e} (limit {SINGLE_TOLERANCE:.0e}): no file is written"
            )
    return proof


def _strings(split: Split, graph: ModelGraph) -> list[Ids]:
    """Returns pieces from all over the held-out part."""
    text = str(split.heldout[:_MAX_CHARS])
    starts = np.linspace(0, max(0, len(text) - _NUM_CHARS), _NUM_STRINGS).astype(int)
    pieces = [text[start : start + _NUM_CHARS] for start in starts]
    if split.unit == "line":
        pieces = text.split("\n")[:_NUM_STRINGS]
    encode = graph.vocabulary.encode_code_points
    return [encode(Text.of(piece).code_points) for piece in pieces]


def _logprobs(graph: ModelGraph, strings: Sequence[Ids]) -> list[np.ndarray]:
    """Reads the last string by itself: it may be longer than all others together."""
    *pieces, everything = strings
    return [*symbol_logprobs(graph, pieces), *symbol_logprobs(graph, [everything])]


@torch.no_grad()
def _torch_logprobs(model: CharRNN, ids: Ids) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    begin = np.array([model.config.num_inputs - 1], dtype=np.int64)
    read, wanted = torch.from_numpy(np.concatenate([begin, ids[:-1]])), torch.from_numpy(ids)
    state = tuple(part.double() for part in zero_state(model.config, 1))
    found = np.empty(len(ids))
    for start in range(0, len(ids), _NUM_CHARS):
        chunk = slice(start, start + _NUM_CHARS)
        logits, state = model(read[chunk, None], state)
        logprobs = torch.log_softmax(logits[:, 0], dim=-1)
        found[chunk] = logprobs.gather(1, wanted[chunk, None])[:, 0].numpy()
    return found


def _difference(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> Difference:
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if len(a)]
    return Difference(
        string=max((float(abs(a.sum() - b.sum())) / len(a) for a, b in pairs), default=0.0),
        single=max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0),
    )
