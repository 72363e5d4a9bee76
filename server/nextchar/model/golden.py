"""Scores strings directly with an opened graph, and checks a file against its own golden strings.

No lanes and no threads: this is the plain definition of a score, used at load and at export.
"""

import math

import numpy as np

from nextchar.errors import GoldenMismatch, ModelFileError
from nextchar.model.graph import Doubles, ModelGraph, log_softmax, run_sequence
from nextchar.model.step_runner import StepRunner
from nextchar.model.vocabulary import Ids

# The largest difference in nats per character. Float sums differ in their last digits between processors; an
# int8 state may then round the other way. A wrong file is off by a hundred times as much.
_TOLERANCE = {"float32": 1e-3, "int8": 1e-2}
_MAX_LOGITS = 2**24  # per call of a sequence graph: a vocabulary may have thousands of characters


def check_golden(graph: ModelGraph, *, shown: str) -> None:
    """Checks that the card's golden strings still have the scores they had when the file was written.

    Raises:
        GoldenMismatch: a score differs by more than the tolerance.
        ModelFileError: the graph cannot score them at all.
    """
    golden = graph.card.golden
    try:
        scores = score_strings(graph, [graph.vocabulary.encode(g.text) for g in golden])
    except Exception as error:  # a damaged graph can fail in as many ways as there are operators
        raise ModelFileError(f"{shown}: cannot score its golden strings: {error}".splitlines()[0]) from error
    for g, found in zip(golden, scores, strict=True):
        allowed = _TOLERANCE[graph.card.precision] * max(1, len(g.text))
        if not abs(found - g.logprob) <= allowed:
            raise GoldenMismatch(
                f"{shown}: the golden string {g.text!r} scores {found:.4f} nats here, {g.logprob:.4f} when "
                "it was written: the file is damaged, or its card names the wrong states; export it again"
            )


def score_strings(graph: ModelGraph, strings: list[Ids]) -> list[float]:
    """Returns the log-probability (nats, from begin, without end) of each string of ids."""
    return [math.fsum(logprobs) for logprobs in symbol_logprobs(graph, strings)]


def symbol_logprobs(graph: ModelGraph, strings: list[Ids]) -> list[Doubles]:
    """Returns the log-probabilities (nats) of the symbols of each string of ids: arrays [len(string)]."""
    longest = max((len(s) for s in strings), default=0)
    if longest == 0:
        return [np.empty(0) for _ in strings]
    read = np.full((len(strings), longest), graph.vocabulary.begin_id, dtype=np.int64)
    wanted = np.zeros_like(read)
    for row, string in enumerate(strings):
        read[row, 1 : len(string)] = string[:-1]
        wanted[row, : len(string)] = string
    predict = _step_logprobs if graph.card.graph == "step" else _sequence_logprobs
    logprobs = predict(graph, read, wanted)
    return [logprobs[row, : len(s)] for row, s in enumerate(strings)]


def _step_logprobs(graph: ModelGraph, read: Ids, wanted: Ids) -> Doubles:
    num_rows, time = read.shape
    runner = StepRunner(graph, num_rows)
    for row in range(num_rows):
        runner.reset(row)
    result, rows = np.empty((num_rows, time)), np.arange(num_rows)
    for t in range(time):
        runner.ids[:] = read[:, t]
        runner.step(num_rows)
        result[:, t] = runner.distribution[rows, wanted[:, t]]
    return result


def _sequence_logprobs(graph: ModelGraph, read: Ids, wanted: Ids) -> Doubles:
    num_rows, time = read.shape
    size = max(1, _MAX_LOGITS // (num_rows * graph.vocabulary.num_outputs))
    result, states = np.empty((num_rows, time)), None
    for start in range(0, time, size):
        chunk = slice(start, start + size)
        logits, states = run_sequence(graph, read[:, chunk], states)
        logprobs = log_softmax(logits.reshape(-1, logits.shape[-1]))
        picked = logprobs[np.arange(len(logprobs)), wanted[:, chunk].ravel()]
        result[:, chunk] = picked.reshape(num_rows, -1)
    return result
