"""Runs an ONNX file as it is, by onnx's own definition of operators, to compare it with what is served."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_rnn import RNN_14
from torch import Tensor

from nextchar_training.foreign.network import ForeignNetwork, own_forward
from nextchar_training.foreign.onnx_graph import OnnxPath
from nextchar_training.network.weights import Array

_NUM_PROBED = 16  # characters by which the axis of time is found
Forward = Callable[[Tensor], Tensor]


def original_forward(proto: ModelProto, path: OnnxPath, foreign: ForeignNetwork) -> Forward | None:
    """Returns a function that maps ids [time] to the file's logits [time, num_symbols].

    A file whose axis of time has a fixed length gives no more rows than that. The axis is the one by which
    the file agrees best with the network that was found in it. None: the file cannot be run so, for one that
    gives the last character alone.
    """
    try:
        file, expected = _File(proto, path, foreign.num_symbols), own_forward(foreign)
    except Exception:  # noqa: BLE001  the reference raises anything for operators that it lacks
        return None
    probe = torch.arange(_NUM_PROBED) % foreign.num_symbols
    found: list[tuple[float, int]] = []
    for axis in range(file.num_axes):
        logits = file.run(probe.numpy(), axis)
        if logits is not None:
            difference = np.abs(logits - expected(probe)[: len(logits)].numpy()).max()
            found.append((float(np.nan_to_num(difference, nan=np.inf)), axis))
    if not found:
        return None
    _, best = min(found)

    def forward(ids: Tensor) -> Tensor:
        logits = file.run(ids.numpy(), best)
        assert logits is not None, "it has run before"
        return torch.tensor(logits)

    return forward


class RNN(RNN_14):
    """The operator of this name in onnx, with the ReLU that onnx's own lacks."""

    op_domain = ""

    def choose_act(self, name: str, _alpha: float | None, _beta: float | None) -> Any:
        """Returns the activation of a name, which is one of the two that can be imported."""
        return _relu if name.lower() == "relu" else np.tanh


def _relu(sums: Array) -> Array:
    return np.maximum(sums, 0)


class _File:
    """A file that gives logits, with zeros for all inputs but the characters."""

    def __init__(self, proto: ModelProto, path: OnnxPath, num_symbols: int) -> None:
        kept = ModelProto()
        kept.CopyFrom(proto)
        needed: set[str] = {path.logits}
        nodes: list[NodeProto] = []
        for node in reversed(proto.graph.node):
            if needed & set(node.output):
                nodes.insert(0, node)
                needed |= set(node.input)
        del kept.graph.node[:], kept.graph.output[:]
        kept.graph.node.extend(nodes)
        kept.graph.output.append(helper.make_empty_tensor_value_info(path.logits))
        self._runner = ReferenceEvaluator(kept, new_ops=[RNN])
        constants = {tensor.name for tensor in proto.graph.initializer}
        self._inputs = [i for i in proto.graph.input if i.name in needed and i.name not in constants]
        self._characters = next(i for i in self._inputs if i.name == path.ids)
        self._num_symbols, self._one_hot = num_symbols, path.embedding is None

    @property
    def num_axes(self) -> int:
        """The number of axes of the characters' input that could be time."""
        return len(_shape(self._characters)) - self._one_hot

    def run(self, ids: NDArray[np.int64], axis: int) -> Array | None:
        """Returns the logits [time, num_symbols]; None if the file gives none of this shape."""
        given = {i.name: np.zeros([size or 1 for size in _shape(i)], _dtype(i)) for i in self._inputs}
        num_steps = _shape(self._characters)[axis] or len(ids)
        padded = np.zeros(num_steps, dtype=np.int64)
        padded[: len(ids)] = ids[:num_steps]
        shape = list(given[self._characters.name].shape)
        rows = np.eye(shape.pop())[padded] if self._one_hot else padded
        shape[axis] = num_steps
        if np.prod(shape) != num_steps:
            return None
        given[self._characters.name] = rows.reshape(*shape, *rows.shape[1:]).astype(_dtype(self._characters))
        try:
            with np.errstate(all="ignore"):
                (logits,) = self._runner.run(None, given)
        except Exception:  # noqa: BLE001  the reference raises anything for shapes that do not fit
            return None
        if np.shape(logits)[-1:] != (self._num_symbols,) or np.size(logits) != num_steps * self._num_symbols:
            return None
        return np.reshape(logits, (num_steps, self._num_symbols))[: len(ids)]


def _shape(value: Any) -> list[int]:
    """Returns the sizes of an input's axes, 0 where they are free."""
    return [size.dim_value for size in value.type.tensor_type.shape.dim]


def _dtype(value: Any) -> Any:
    return helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
