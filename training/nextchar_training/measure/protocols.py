"""Measures the held-out loss in nats per character, by protocol.

`stream`      One pass over the text with the state carried on, after the text before it. The text is cut
              into up to `MAX_LANES` contiguous lanes that are read side by side, each after the
              `WARM_CHARS` characters before it (the first lane after those there are): every character
              is predicted once, from at least that much context.
`window-256`  Non-overlapping windows, each from a zero state: 256 characters are read, and after each
              the next one is predicted (nanoGPT's condition). There is no begin symbol: the first
              character read is the only context of the first prediction, and the text's very first
              character is not predicted.
`line`        Whole strings, each from begin to end: -log p(string), summed over all strings and divided
              by the number of their characters, the end of a string counting as one.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nextchar_training.batches.batch import IGNORED
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.network.network import CharRNN

WARM_CHARS = 1000
MAX_LANES = 32
_MIN_LANE_CHARS = 2000
_LINE_BATCH_SYMBOLS = 32_768
# Per call of a network: memory stays bounded, with a vocabulary of thousands of characters too.
MAX_CHUNK, MAX_LANES_AT_ONCE, MAX_LOGITS = 256, 256, 2**24

Ids = NDArray[np.int64]
Matrices = tuple[Ids, Ids]  # what is read, what is predicted: [time, lanes]


def stream_loss(model: CharRNN, ids: NDArray[np.int64], *, before: NDArray[np.int64]) -> float:
    """Returns the mean nats per character of `ids` int64 [n] after `before`, by the protocol `stream`."""
    matrices = stream_matrices(ids, before=before, begin_id=model.config.num_inputs - 1)
    return mean_loss(predictions(model, [matrices]))


def stream_matrices(ids: NDArray[np.int64], *, before: NDArray[np.int64], begin_id: int) -> Matrices:
    """Returns what the protocol `stream` reads and predicts: ids [time, lanes], targets with IGNORED."""
    lanes = max(1, min(MAX_LANES, len(ids) // _MIN_LANE_CHARS))
    first = min(WARM_CHARS, len(before))  # where `ids` start in `whole`
    whole = np.concatenate([before[len(before) - first :], ids])
    width = -(-len(ids) // lanes)
    inputs = np.zeros((WARM_CHARS + width, lanes), dtype=np.int64)
    targets = np.full_like(inputs, IGNORED)
    for lane in range(lanes):
        start = first + lane * width
        warm = min(WARM_CHARS, start)
        piece = whole[start - warm : start + width]
        inputs[1 : len(piece), lane] = piece[:-1]
        inputs[0, lane] = begin_id
        targets[warm : len(piece), lane] = piece[warm:]
    used = int((targets != IGNORED).any(axis=1).nonzero()[0].max(initial=-1)) + 1
    return inputs[:used], targets[:used]


def window_loss(model: CharRNN, ids: NDArray[np.int64], *, window: int = 256) -> float:
    """Returns the mean nats per character of `ids` int64 [n] in cold windows, without the first character."""
    return mean_loss(predictions(model, [window_matrices(ids, window)]))


def window_matrices(ids: NDArray[np.int64], window: int) -> Matrices:
    """Returns what `window-256` reads and predicts: ids [window, lanes], targets with IGNORED."""
    lanes = -(-(len(ids) - 1) // window)
    inputs = np.zeros(lanes * window, dtype=np.int64)
    targets = np.full(lanes * window, IGNORED, dtype=np.int64)
    inputs[: len(ids) - 1] = ids[:-1]
    targets[: len(ids) - 1] = ids[1:]
    return inputs.reshape(lanes, window).T, targets.reshape(lanes, window).T


def line_loss(model: CharRNN, lines: EncodedLines) -> float:
    """Returns the mean nats per symbol, characters and ends, by the protocol `line`."""
    return mean_loss(predictions(model, line_matrices(lines)))


def line_matrices(lines: EncodedLines) -> Iterator[Matrices]:
    """Yields what the protocol `line` reads and predicts, in groups of lines of about one length."""
    for rows in lines.by_length(_LINE_BATCH_SYMBOLS):
        yield lines.matrices(rows)


Predictions = Iterable[tuple[Tensor, Tensor]]


def pieces(group: Matrices, num_outputs: int) -> Iterator[tuple[bool, Ids, Ids]]:
    """Cuts a group into what one call of a network reads, int64 [time, lanes], and what it predicts there.

    Yields with it whether its lanes start there: from a zero state, else from the state after the piece
    before. No call has more than `MAX_LOGITS` logits.
    """
    inputs, targets = group
    num_lanes = max(1, min(MAX_LANES_AT_ONCE, MAX_LOGITS // num_outputs))
    for first in range(0, inputs.shape[1], num_lanes):
        lanes = slice(first, first + num_lanes)
        width = min(num_lanes, inputs.shape[1] - first)
        size = max(1, min(MAX_CHUNK, MAX_LOGITS // (num_outputs * width)))
        for start in range(0, len(inputs), size):
            chunk = slice(start, start + size)
            yield start == 0, inputs[chunk, lanes], targets[chunk, lanes]


@torch.no_grad()
def predictions(model: CharRNN, groups: Iterable[Matrices]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits [n, num_outputs] and the symbols that followed, int64 [n], some at a time.

    Each lane of a group (inputs, targets [time, lanes]) is read from a zero state.
    """
    device, state = model.output.weight.device, None
    for group in groups:
        for starts, inputs, targets in pieces(group, model.config.num_outputs):
            logits, state = model(_tensor(inputs).to(device), None if starts else state)
            wanted = _tensor(targets).flatten()
            predicted = wanted != IGNORED
            yield logits.flatten(0, 1).cpu()[predicted], wanted[predicted]


def mean_loss(predicted: Predictions) -> float:
    """Returns the mean nats per symbol."""
    total, count = 0.0, 0
    for logits, wanted in predicted:
        total += functional.cross_entropy(logits.double(), wanted, reduction="sum").item()
        count += len(wanted)
    return total / count


def _tensor(ids: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ids))
