"""Measures the held-out loss of an exported file, through the runtime that serves it.

It shares with the training loop only the text and the tables of `protocols`.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nextchar.model.card import Quality
from nextchar.model.graph import ModelGraph, log_softmax, run_sequence
from nextchar.model.step_runner import StepRunner
from nextchar_training.batches.batch import IGNORED
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.figures import MAX_HELDOUT_CHARS, make_quality
from nextchar_training.measure.protocols import (
    WARM_CHARS,
    Matrices,
    line_matrices,
    stream_matrices,
    window_matrices,
)
from nextchar_training.text.code_points import Unit
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

PROTOCOLS: dict[str, Unit] = {"stream": "text", "window-256": "text", "line": "line"}

Ids = NDArray[np.int64]

_CHUNK, _LANES_AT_ONCE = 256, 256  # per call of a sequence graph: bounds memory


def graph_quality(
    graph: ModelGraph,
    split: Split,
    name: str,
    *,
    protocol: str | None = None,
    max_chars: int = MAX_HELDOUT_CHARS,
) -> Quality:
    """Measures the loss of a file on a held-out part, or on its first `max_chars` characters.

    The default protocol is `stream`, or `line` for lines.
    """
    vocabulary, heldout = graph.vocabulary, split.heldout[:max_chars]
    if split.unit == "line":
        return _quality(graph, name, "line", list(line_matrices(EncodedLines(heldout, vocabulary))))
    ids = encode(vocabulary, heldout)
    if protocol == "window-256":
        return _quality(graph, name, protocol, [window_matrices(ids, 256)])
    before = encode(vocabulary, split.before_heldout(WARM_CHARS))
    matrices = stream_matrices(ids, before=before, begin_id=vocabulary.begin_id)
    return _quality(graph, name, "stream", [matrices])


def _quality(graph: ModelGraph, name: str, protocol: str, groups: list[Matrices]) -> Quality:
    count = sum(int((targets != IGNORED).sum()) for _, targets in groups)
    return make_quality(name, protocol, graph_loss(graph, groups), count)


def graph_loss(graph: ModelGraph, groups: Iterable[Matrices]) -> float:
    """Sums the nats of targets [time, lanes] given inputs [time, lanes], each group from zero states."""
    loss = _step_loss if graph.card.graph == "step" else _sequence_loss
    parts = (
        loss(graph, inputs[:, first : first + _LANES_AT_ONCE], targets[:, first : first + _LANES_AT_ONCE])
        for inputs, targets in groups
        for first in range(0, inputs.shape[1], _LANES_AT_ONCE)
    )
    return math.fsum(parts)


def _step_loss(graph: ModelGraph, inputs: Ids, targets: Ids) -> float:
    num_lanes = inputs.shape[1]
    runner = StepRunner(graph, num_lanes)
    for row in range(num_lanes):
        runner.reset(row)
    total = 0.0
    for read, wanted in zip(inputs, targets, strict=True):
        runner.ids[:] = read
        runner.step(num_lanes)
        total += _loss(runner.distribution, wanted)
    return total


def _sequence_loss(graph: ModelGraph, inputs: Ids, targets: Ids) -> float:
    states, total = None, 0.0
    for first in range(0, len(inputs), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        logits, states = run_sequence(graph, np.ascontiguousarray(inputs[chunk].T), states)
        total += _loss(log_softmax(logits.reshape(-1, logits.shape[-1])), targets[chunk].T.ravel())
    return total


def _loss(logprobs: NDArray[np.floating], wanted: Ids) -> float:
    rows = np.flatnonzero(wanted != IGNORED)
    return -float(logprobs[rows, wanted[rows]].sum(dtype=np.float64))
