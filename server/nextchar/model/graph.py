"""Opens model files with onnxruntime and runs sequence graphs.

`open_graph` checks a file and returns a `ModelGraph`. `run_sequence` runs the standard `model.onnx`, for
proofs and evaluation, not for serving; step graphs are run by `step_runner.StepRunner`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError, Unavailable
from nextchar.model.card import MAX_MODEL_BYTES, Card, GraphSignature, TensorSpec, check_graph, parse_card
from nextchar.model.gate_graph import GateGraph, open_gates
from nextchar.model.kernels.opening import KernelChoice, open_with_kernels
from nextchar.model.onnx_screen import screened
from nextchar.model.regular_file import read_regular_file
from nextchar.model.runtime import open_session, ort
from nextchar.model.surprise.calibration import Calibration, calibration_of
from nextchar.model.vocabulary import Ids, Vocabulary

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
StateArray = NDArray[np.float32] | NDArray[np.uint8]

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(uint8)": np.dtype(np.uint8),
}


@dataclass(frozen=True)
class ModelGraph:
    """Holds an opened model file whose card and graph agree. Safe to share between threads.

    `source` is the file, or its bytes where there is no file. `kernels` names the implementation of the
    compiled cells that the session runs with; it is empty where it runs the graph as the file has it.
    """

    card: Card
    vocabulary: Vocabulary
    signature: GraphSignature
    digest: str
    session: ort.InferenceSession
    source: Path | bytes
    kernels: str = ""

    @cached_property
    def gates(self) -> GateGraph:
        """The graph of the gates, opened from the file when it is first asked for.

        Raises:
            InvalidRequest: the file does not name them.
            Unavailable: the file has gone or is another one by now.
        """
        try:
            content = self.source if isinstance(self.source, bytes) else _read(self.source, self.source.name)
        except ModelFileError:
            content = b""
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise Unavailable("gates are read from the model's file, which has changed: load the model again")
        return open_gates(content, self.card)

    @cached_property
    def calibration(self) -> Calibration | None:
        """Percentiles and p-values of scores, or None if the card has no measurement of them."""
        return calibration_of(self.card)

    @property
    def state_shapes(self) -> dict[str, tuple[np.dtype[Any], int]]:
        """The type and size of one lane's states, by input name."""
        tensors = {name: self.signature.inputs[name] for name in self.card.states}
        return {name: (_DTYPES[t.type], int(t.shape[-1] or 0)) for name, t in tensors.items()}

    @property
    def state_bytes(self) -> int:
        """The bytes of one lane's states."""
        return sum(dtype.itemsize * size for dtype, size in self.state_shapes.values())


def open_graph(path: Path, *, shown: str | None = None, kernels: KernelChoice = "off") -> ModelGraph:
    """Reads, checks and loads a model file; `shown` names it in errors, by default its file name.

    With `kernels` "auto", a step graph runs with the compiled cells of `nextchar-kernels` where they are
    installed and compute the same bits.

    Raises:
        ModelFileError: unreadable, too large, not ONNX, not of this project, or card and graph disagree.
    """
    shown = shown or path.name
    return replace(graph_from_bytes(_read(path, shown), shown=shown, kernels=kernels), source=path)


def _read(path: Path, shown: str) -> bytes:
    return read_regular_file(path, max_bytes=MAX_MODEL_BYTES, kind="model", shown=shown)


def graph_from_bytes(content: bytes, *, shown: str, kernels: KernelChoice = "off") -> ModelGraph:
    """Does what `open_graph` does, for the bytes of a file; `shown` names it in errors.

    Raises:
        ModelFileError: not ONNX, not of this project, or card and graph disagree.
    """
    card = parse_card(screened(content, path=shown), path=shown)
    try:
        session = open_session(content)
        inputs = {i.name: TensorSpec(i.type, _shape(i.shape)) for i in session.get_inputs()}
        outputs = {o.name: TensorSpec(o.type, _shape(o.shape)) for o in session.get_outputs()}
    except Exception as error:  # onnxruntime raises many unrelated types for a bad file
        raise ModelFileError(f"{shown}: onnxruntime cannot load it: {_first_line(error)}") from error
    signature = GraphSignature(inputs, outputs)
    check_graph(card, signature, path=shown)
    digest = hashlib.sha256(content).hexdigest()
    graph = ModelGraph(card, card.make_vocabulary(), signature, digest, session, content)
    found = open_with_kernels(content, card, session, shown=shown) if kernels == "auto" else None
    return graph if found is None else replace(graph, session=found[0], kernels=found[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _shape(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in shape)


def run_sequence(
    graph: ModelGraph, ids: Ids, states: dict[str, Floats] | None = None
) -> tuple[Floats, dict[str, Floats]]:
    """Runs a sequence graph on ids [batch, time], from `states` or from before any character.

    Returns logits [batch, time, num_outputs] and the states after.
    """
    if states is None:
        states = {}
        for name in graph.card.states:
            shape = graph.signature.inputs[name].shape
            states[name] = np.zeros((int(shape[0] or 1), len(ids), int(shape[-1] or 0)), dtype=np.float32)
    outputs = ["logits", *graph.card.states.values()]
    logits, *new = graph.session.run(outputs, {"ids": ids, **states})
    return logits, dict(zip(graph.card.states, new, strict=True))


def log_softmax(logits: NDArray[np.float32]) -> Doubles:
    """Returns natural log-probabilities [rows, symbols] of logits [rows, symbols], in float64."""
    shifted: Doubles = logits.astype(np.float64)
    shifted -= np.maximum.reduce(shifted, axis=1, keepdims=True)
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis=1, keepdims=True))
    return shifted
