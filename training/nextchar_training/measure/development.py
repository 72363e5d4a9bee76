"""Measures the loss on the development part during a run, and fits the softmax temperature on it."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.protocols import (
    WARM_CHARS,
    Matrices,
    line_matrices,
    mean_loss,
    predictions,
    stream_matrices,
    window_matrices,
)
from nextchar_training.network.network import CharRNN
from nextchar_training.text.code_points import Text
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

MAX_CHARS = 100_000  # enough for a steady figure, few enough to be quick
_WINDOW = 256
# The temperatures that are tried, from 0.5 to 2, all on one reading: its logits need not be kept.
_STEP = 1.05
_TEMPERATURES = 0.5 * _STEP ** np.arange(30)
# Of either kind of reading: all 100,000 characters of a vocabulary of a thousand, some of a larger one.
_MAX_LOGITS = 2**27

Floats = NDArray[np.float64]


class Development:
    """The first 100,000 characters of the development part, encoded once."""

    def __init__(self, split: Split, vocabulary: Vocabulary) -> None:
        piece = split.development[:MAX_CHARS]
        self._cold: list[Matrices] = []
        if split.unit == "line":
            text = str(piece)
            whole = text if len(piece) == len(split.development) else text.rpartition("\n")[0]
            self._warm = list(line_matrices(EncodedLines(Text.of(whole or text), vocabulary)))
            return
        ids, before = encode(vocabulary, piece), encode(vocabulary, split.train[-WARM_CHARS:])
        self._warm = [stream_matrices(ids, before=before, begin_id=vocabulary.begin_id)]
        self._cold = [window_matrices(ids, _WINDOW)]

    def loss(self, model: CharRNN) -> float:
        """Returns nats per character under the protocol `stream`, or `line` for lines."""
        return mean_loss(predictions(model, self._warm))

    def best_temperature(self, model: CharRNN) -> float:
        """Returns the divisor of the logits that minimises the loss (Guo et al. 2017).

        Running text is read both as a stream and in cold windows, because a server reads both kinds.
        """
        totals = np.zeros(len(_TEMPERATURES))
        for logits, wanted in chain(_some(model, self._warm), _some(model, self._cold)):
            totals += [_nats(logits, wanted, temperature) for temperature in _TEMPERATURES]
        return _least(totals)


def calibrated(model: CharRNN, temperature: float) -> CharRNN:
    """Divides the model's output layer by a temperature, in place; returns the model."""
    with torch.no_grad():
        model.output.weight.div_(temperature)
        model.output.bias.div_(temperature)
    return model


def _some(model: CharRNN, groups: list[Matrices]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields predictions until there are enough of them."""
    num_logits = 0
    for logits, wanted in predictions(model, groups):
        yield logits, wanted
        num_logits += logits.numel()
        if num_logits >= _MAX_LOGITS:
            return


def _nats(logits: Tensor, wanted: Tensor, temperature: float) -> float:
    return functional.cross_entropy(logits.double() / temperature, wanted, reduction="sum").item()


def _least(totals: Floats) -> float:
    """Returns where the loss is least: on the parabola over log T through the least total."""
    k = int(totals.argmin())
    if k in (0, len(totals) - 1):
        return float(_TEMPERATURES[k])
    before, least, after = totals[k - 1 : k + 2]
    curvature = before - 2 * least + after
    offset = 0.0 if curvature == 0 else (before - after) / (2 * curvature)
    return float(_TEMPERATURES[k] * _STEP**offset)
