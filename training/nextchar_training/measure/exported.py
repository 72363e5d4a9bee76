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
    MAX_LANES_AT_ONCE,
    WARM_CHARS,
    Matrices,
    line_matrices,
    pieces,
    stream_matrices,
    window_matrices,
)
from nextchar_training.text.code_points import Unit
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

PROTOCOLS: dict[str, Unit] = {"stream": "text", "window-256": "text", "line": "line"}

Ids = NDArray[np.int64]


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
    return math.fsum(loss(graph, group) for group in groups)


def _step_loss(graph: ModelGraph, group: Matrices) -> float:
    inputs, targets = group
    parts = (
        _lanes_loss(graph, inputs[:, first : first + MAX_LANES_AT_ONCE], targets[:, first:])
        for first in range(0, inputs.shape[1], MAX_LANES_AT_ONCE)
    )
    return math.fsum(parts)


def _lanes_loss(graph: ModelGraph, inputs: Ids, targets: Ids) -> float:
    num_lanes = inputs.shape[1]
    runner = StepRunner(graph, num_lanes)
    for row in range(num_lanes):
        runner.reset(row)
    total = 0.0
    for read, wanted in zip(inputs, targets[:, :num_lanes], strict=True):
        runner.ids[:] = read
        runner.step(num_lanes)
        total += _loss(runner.distribution, wanted)
    return total


def _sequence_loss(graph: ModelGraph, group: Matrices) -> float:
    states, total = None, 0.0
    for starts, inputs, targets in pieces(group, graph.vocabulary.num_outputs):
        read = np.ascontiguousarray(inputs.T)
        logits, states = run_sequence(graph, read, None if starts else states)
        total += _loss(log_softmax(logits.reshape(-1, logits.shape[-1])), targets.T.ravel())
    return total


def _loss(logprobs: NDArray[np.floating], wanted: Ids) -> float:
    rows = np.flatnonzero(wanted != IGNORED)
    return -float(logprobs[rows, wanted[rows]].sum(dtype=np.float64))
