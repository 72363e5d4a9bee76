"""Measures the loss of dynamic evaluation: the network keeps learning from the text that it is scored on
(Krause et al. 2018).

Every segment is predicted first and learned from afterwards, so no character is known before it is
predicted. The update is the paper's RMS rule: a gradient is divided by its root mean square over the
training text, and every weight decays to its initial value, faster the larger its gradients are:

    w ← w - rate · g / (rms + ε) + decay · r · (w₀ - w),   r = rms / mean(rms), at most 1 / decay
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nextchar.errors import InvalidRequest
from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.measure.figures import MAX_HELDOUT_CHARS, make_quality
from nextchar_training.measure.protocols import WARM_CHARS
from nextchar_training.network.cells.cell import State
from nextchar_training.network.network import CharRNN
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

DYNAMIC = "dynamic"  # the name of the protocol
_EPSILON = 1e-6
_NUM_STATISTICS_SEGMENTS = 300

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Dynamics:
    """The learning rate, and the decay to the initial weights, after every `segment` characters."""

    rate: float = 5e-5
    decay: float = 0.01
    segment: int = 40


def dynamic_quality(
    model: CharRNN,
    vocabulary: Vocabulary,
    split: Split,
    name: str,
    *,
    dynamics: Dynamics,
    max_chars: int = MAX_HELDOUT_CHARS,
) -> Quality:
    """Measures the loss of a model that keeps learning, on the first `max_chars` held-out characters.

    Raises:
        InvalidRequest: the split has no training part.
    """
    if not len(split.train):
        raise InvalidRequest(
            "--protocol dynamic measures gradients on the training part, which is empty: give --corpus"
        )
    ids = encode(vocabulary, split.heldout[:max_chars])
    before, train = encode(vocabulary, split.before_heldout(WARM_CHARS)), encode(vocabulary, split.train)
    nats = dynamic_loss(model, ids, before=before, train=train, dynamics=dynamics)
    return make_quality(name, DYNAMIC, nats * len(ids), len(ids))


def dynamic_loss(model: CharRNN, ids: Ids, *, before: Ids, train: Ids, dynamics: Dynamics) -> float:
    """Returns the mean nats per character of `ids` int64 [n], read once after `before`.

    The size of gradients is measured on `train`. The model is not changed.
    """
    adapted = copy.deepcopy(model).requires_grad_(True).train()
    weights: list[Tensor] = [weight for weight in adapted.parameters() if weight.requires_grad]
    rule = _Rule(weights, _mean_squares(adapted, weights, train, dynamics.segment), dynamics)
    begin = adapted.config.num_inputs - 1
    inputs = np.concatenate([[begin], before, ids[:-1]])
    with torch.no_grad():
        _, state = adapted(_column(inputs[: len(before)]), None) if len(before) else (None, None)
    total = 0.0
    for start in range(0, len(ids), dynamics.segment):
        read = inputs[len(before) + start :][: dynamics.segment]
        nats, state = _backward(adapted, read, ids[start : start + dynamics.segment], state)
        total += nats * len(read)
        rule.step()
    return total / len(ids)


class _Rule:
    """Updates the weights by the RMS rule."""

    def __init__(self, weights: list[Tensor], mean_squares: list[Tensor], dynamics: Dynamics) -> None:
        rms = [square.sqrt() for square in mean_squares]
        mean = float(sum(part.sum() for part in rms)) / sum(part.numel() for part in rms)
        self._weights = weights
        self._initial = [weight.detach().clone() for weight in weights]
        self._rates = [dynamics.rate / (part + _EPSILON) for part in rms]
        self._pulls = [(dynamics.decay * part / mean).clamp(max=1.0) for part in rms]

    @torch.no_grad()
    def step(self) -> None:
        parts = zip(self._weights, self._initial, self._rates, self._pulls, strict=True)
        for weight, initial, rate, pull in parts:
            assert weight.grad is not None
            weight.lerp_(initial, pull).addcmul_(weight.grad, rate, value=-1)
            weight.grad = None


def _mean_squares(model: CharRNN, weights: list[Tensor], train: Ids, segment: int) -> list[Tensor]:
    """Returns the mean squared gradients of segments all over a text, each after as much context."""
    sums = [torch.zeros_like(weight) for weight in weights]
    segment, count = min(segment, (len(train) - 1) // 2), 0
    for piece in _spread(train, 2 * segment + 1):
        with torch.no_grad():
            _, state = model(_column(piece[:segment]), None)
        _backward(model, piece[segment:-1], piece[segment + 1 :], state)
        count += 1
        for total, weight in zip(sums, weights, strict=True):
            assert weight.grad is not None
            total.addcmul_(weight.grad, weight.grad)
            weight.grad = None
    return [total / count for total in sums]


def _spread(text: Ids, size: int) -> Iterator[Ids]:
    count = min(_NUM_STATISTICS_SEGMENTS, max(1, len(text) // size))
    for start in np.linspace(0, max(0, len(text) - size), count).astype(int):
        yield text[start : start + size]


def _backward(model: CharRNN, read: Ids, wanted: Ids, state: State | None) -> tuple[float, State]:
    """Returns the mean nats of a segment and the state after it; leaves the gradients in the model."""
    logits, after = model(_column(read), state)
    loss = functional.cross_entropy(logits[:, 0], _column(wanted)[:, 0])
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), tuple(part.detach() for part in after)


def _column(ids: Ids) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64))[:, None]
