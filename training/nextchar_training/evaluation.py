"""Held-out loss in nats per character, by protocol.

`stream`      one pass over the text, state carried, warmed on the text before it. The text is cut
              into up to `MAX_LANES` contiguous lanes read side by side; each is warmed on the
              `WARM_CHARS` characters before it, so that every character is predicted once, from
              at least that much context.
`window-256`  non-overlapping windows, each from a zero state: 256 characters read, and after each
              the next one predicted (nanoGPT's condition). No begin symbol: the first character
              read is itself the only context of the first prediction, and the text's very first
              character is not predicted.
`line`        whole strings, each from begin to end: -log p(string) summed over all strings and
              divided by their characters, the end of a string counting as one.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nextchar_training.batch import IGNORED
from nextchar_training.lines import EncodedLines
from nextchar_training.model import CharRNN, State

WARM_CHARS = 1000
MAX_LANES = 32
_MIN_LANE_CHARS = 2000
_LINE_BATCH_SYMBOLS = 32_768
_CHUNK = 256  # time steps per call: bounds memory


def stream_loss(model: CharRNN, ids: NDArray[np.int64], *, before: NDArray[np.int64]) -> float:
    """Mean nats per character of `ids` int64 [n], read after `before`, under the protocol `stream`."""
    return _mean_loss(model, *stream_matrices(ids, before=before, begin_id=model.config.num_inputs - 1))


def stream_matrices(
    ids: NDArray[np.int64], *, before: NDArray[np.int64], begin_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the protocol `stream` reads and predicts: ids [time, lanes], targets with IGNORED."""
    lanes = max(1, min(MAX_LANES, len(ids) // _MIN_LANE_CHARS))
    warm = min(WARM_CHARS, len(before))
    whole = np.concatenate([before[len(before) - warm :], ids])
    width = -(-len(ids) // lanes)
    inputs = np.zeros((warm + width, lanes), dtype=np.int64)
    targets = np.full_like(inputs, IGNORED)
    for lane in range(lanes):
        start = lane * width  # of this lane's text in `ids`; its warm-up starts there in `whole`
        piece = whole[start : start + warm + width]
        inputs[1 : len(piece), lane] = piece[:-1]
        inputs[0, lane] = begin_id
        targets[warm : len(piece), lane] = piece[warm:]
    return inputs, targets


def window_loss(model: CharRNN, ids: NDArray[np.int64], *, window: int = 256) -> float:
    """Mean nats per character of `ids` int64 [n] in cold windows, all characters but the first."""
    lanes = -(-(len(ids) - 1) // window)
    inputs = np.zeros(lanes * window, dtype=np.int64)
    targets = np.full(lanes * window, IGNORED, dtype=np.int64)
    inputs[: len(ids) - 1] = ids[:-1]
    targets[: len(ids) - 1] = ids[1:]
    return _mean_loss(model, inputs.reshape(lanes, window).T, targets.reshape(lanes, window).T)


@torch.no_grad()
def line_loss(model: CharRNN, lines: EncodedLines) -> float:
    """Mean nats per symbol, characters and ends, under the protocol `line`."""
    total = sum(_lanes_loss(model, *matrices) for matrices in line_matrices(lines))
    return total / lines.num_symbols


def line_matrices(lines: EncodedLines) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """What the protocol `line` reads and predicts, in groups of lines of about one length."""
    for rows in lines.by_length(_LINE_BATCH_SYMBOLS):
        yield lines.matrices(rows)


@torch.no_grad()
def _mean_loss(model: CharRNN, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
    """Nats per target of id matrices [time, lanes], each lane from a zero state."""
    total, lanes_at_once = 0.0, 256
    for first in range(0, inputs.shape[1], lanes_at_once):
        rows = slice(first, first + lanes_at_once)
        total += _lanes_loss(model, inputs[:, rows], targets[:, rows])
    return total / int((targets != IGNORED).sum())


def _lanes_loss(model: CharRNN, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
    state: State | None = None
    total = 0.0
    for first in range(0, len(inputs), _CHUNK):
        logits, state = model(_tensor(inputs[first : first + _CHUNK]), state)
        wanted = _tensor(targets[first : first + _CHUNK])
        total += functional.cross_entropy(
            logits.flatten(0, 1).double(), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
        ).item()
    return total


def _tensor(ids: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ids))
