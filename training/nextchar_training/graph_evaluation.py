"""Held-out loss of an exported file, through the runtime that serves it; protocols as `evaluation`."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nextchar.modelfile import Quality
from nextchar.runner import ModelGraph, StepRunner, run_sequence
from nextchar.sampler import log_softmax
from nextchar_training.batch import IGNORED
from nextchar_training.evaluation import WARM_CHARS, line_matrices, stream_matrices
from nextchar_training.lines import EncodedLines
from nextchar_training.split import Split

Ids = NDArray[np.int64]

_CHUNK = 256  # time steps of a sequence graph a call: bounds memory


def graph_quality(graph: ModelGraph, split: Split, name: str, *, max_chars: int | None = None) -> Quality:
    """The loss of a file on a held-out part, or on its first `max_chars` characters."""
    vocabulary, heldout = graph.vocabulary, split.heldout[:max_chars]
    if split.unit == "line":
        lines = EncodedLines(heldout, vocabulary)
        protocol, matrices, count = "line", line_matrices(lines), lines.num_symbols
    else:
        ids = vocabulary.encode(heldout)
        before = vocabulary.encode(split.before_heldout[-WARM_CHARS:])
        parts = stream_matrices(ids, before=before, begin_id=vocabulary.begin_id)
        protocol, matrices, count = "stream", iter([parts]), len(ids)
    nats = graph_loss(graph, matrices) / count
    return Quality(
        name=name, protocol=protocol, nats_per_char=nats, bits_per_char=nats / math.log(2), num_chars=count
    )


def graph_loss(graph: ModelGraph, matrices: Iterable[tuple[Ids, Ids]]) -> float:
    """Summed nats of targets [time, lanes] given inputs [time, lanes], each group from zero states."""
    loss = _step_loss if graph.card.graph == "step" else _sequence_loss
    return math.fsum(loss(graph, inputs, targets) for inputs, targets in matrices)


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
