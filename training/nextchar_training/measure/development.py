"""Measures the loss on the development part during a run, and fits the softmax temperature on it."""

import math
from collections.abc import Callable

import torch

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
_GOLDEN = (math.sqrt(5) - 1) / 2
_LEAST, _MOST, _TOLERANCE = 0.5, 2.0, 1e-3


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
        read = list(predictions(model, self._warm)) + list(predictions(model, self._cold))
        return _least(lambda temperature: mean_loss(read, temperature))


def calibrated(model: CharRNN, temperature: float) -> CharRNN:
    """Divides the model's output layer by a temperature, in place; returns the model."""
    with torch.no_grad():
        model.output.weight.div_(temperature)
        model.output.bias.div_(temperature)
    return model


def _least(loss: Callable[[float], float]) -> float:
    """Returns where a unimodal function is least, by golden-section search."""
    low, high = _LEAST, _MOST
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
