"""Reads an ONNX file of another program: Gather or one-hot, RNN, LSTM or GRU operators, and one product."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.network import ForeignNetwork
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array, LayerWeights, Weights, reorder_gates

_OPERATORS = ("RNN", "LSTM", "GRU")
_ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}


def read_onnx(path: Path) -> ForeignNetwork:
    """Reads the network of a file.

    Raises:
        ImportRefused: the file cannot be read, or the network cannot be served.
    """
    try:
        graph = _Graph(onnx.load(path).graph)
    except OSError as error:
        raise ImportRefused(f"cannot read {path.name}: {error.strerror}", param="file") from None
    except Exception as error:  # noqa: BLE001  protobuf's and onnx's own errors have no common base
        raise ImportRefused(
            f"{path.name} is not an ONNX file: {type(error).__name__}", param="file"
        ) from None
    nodes = [node for node in graph.proto.node if node.op_type in _OPERATORS]
    if not nodes:
        raise ImportRefused(f"{path.name} has no RNN, LSTM or GRU operator", param="file")
    made = [_layer(graph, node) for node in nodes]
    cells = {cell for cell, _ in made}
    widths = {layer.recurrent.shape[1] for _, layer in made}
    if len(cells) > 1 or len(widths) > 1:
        raise ImportRefused(
            f"all recurrent layers must be of one kind and width (are {', '.join(sorted(cells))} of "
            f"{', '.join(map(str, sorted(widths)))})"
        )
    layers = tuple(layer for _, layer in made)
    embedding = _embedding(graph, layers[0].input.shape[1])
    output, bias = _output(graph, widths.pop())
    whole = np.eye(layers[0].input.shape[1], dtype=np.float32) if embedding is None else embedding
    return ForeignNetwork(Weights(cells.pop(), whole, layers, output, bias), embedding is None)


@dataclass
class _Graph:
    """A graph's constants by name, computed where an exporter left arithmetic on them."""

    proto: Any
    known: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known |= {tensor.name: numpy_helper.to_array(tensor) for tensor in self.proto.initializer}
        self.makers = {name: node for node in self.proto.node for name in node.output}

    def constant(self, name: str) -> Array | None:
        """Returns the array of a name that does not depend on the graph's inputs."""
        if not name:
            return None
        if name not in self.known:
            node = self.makers.get(name)
            if node is None or any(self.constant(part) is None for part in node.input if part):
                return None
            self.known |= zip(node.output, self._computed(node), strict=True)
        return self.known[name]

    def _computed(self, node: NodeProto) -> list[Array]:
        given = [part for part in node.input if part]
        graph = helper.make_graph(
            [node],
            "constant",
            [helper.make_empty_tensor_value_info(name) for name in given],
            [helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        runner = ReferenceEvaluator(helper.make_model(graph))
        return list(runner.run(None, {name: self.known[name] for name in given}))


def _layer(graph: _Graph, node: NodeProto) -> tuple[Cell, LayerWeights]:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    cell = _cell(node, attributes)
    inputs = [*node.input, *[""] * 8]
    weight, recurrent, bias = (graph.constant(name) for name in inputs[1:4])
    if weight is None or recurrent is None:
        raise ImportRefused(f"the weights of {node.op_type} must be constants of the file")
    if node.op_type == "LSTM" and inputs[7]:
        raise ImportRefused("the LSTM has peepholes, which no served graph has")
    num_rows = weight.shape[1]
    biases = np.zeros(2 * num_rows, dtype=np.float32) if bias is None else bias[0]
    order = tuple(int(k) for k in np.argsort(CELLS[cell].onnx.order))
    parts = (weight[0], recurrent[0], biases[:num_rows], biases[num_rows:])
    return cell, LayerWeights(*(reorder_gates(np.asarray(part, np.float32), order) for part in parts))


def _cell(node: NodeProto, attributes: dict[str, Any]) -> Cell:
    """Returns the cell of an operator whose attributes a served graph has too."""
    if attributes.get("direction", b"forward") != b"forward":
        raise ImportRefused(
            "the network is bidirectional or reads backwards: it reads what it should predict"
        )
    if "clip" in attributes or attributes.get("input_forget"):
        raise ImportRefused(f"{node.op_type} must have neither clip nor input_forget")
    activations = tuple(a.decode().lower() for a in attributes.get("activations", ()))
    if node.op_type == "RNN":
        if activations not in ((), ("tanh",), ("relu",)):
            raise ImportRefused(f"the activation of RNN must be Tanh or Relu (is {activations[0]!r})")
        return "rnn_relu" if activations == ("relu",) else "rnn_tanh"
    if activations not in ((), _ACTIVATIONS[node.op_type]):
        usual = ", ".join(_ACTIVATIONS[node.op_type])
        raise ImportRefused(
            f"the activations of {node.op_type} must be {usual} (are {', '.join(activations)})"
        )
    if node.op_type == "LSTM":
        return "lstm"
    return "gru" if attributes.get("linear_before_reset") else "gru_reset_first"


def _embedding(graph: _Graph, size: int) -> Array | None:
    """Returns the table that symbols are looked up in; None where they come one-hot."""
    for node in graph.proto.node:
        table = graph.constant(node.input[0]) if node.op_type == "Gather" else None
        if table is not None and table.ndim == 2 and table.shape[1] == size:
            return np.asarray(table, dtype=np.float32)
    return None


def _output(graph: _Graph, hidden_size: int) -> tuple[Array, Array]:
    """Returns the weights of the last product, [num_symbols, hidden], and its bias."""
    for node in reversed(graph.proto.node):
        if node.op_type not in ("Gemm", "MatMul"):
            continue
        weight = graph.constant(node.input[1])
        if weight is None:
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        rows = weight if attributes.get("transB") else weight.T
        if rows.shape[1] != hidden_size or attributes.get("alpha", 1.0) != 1.0:
            break
        bias = graph.constant(node.input[2]) if len(node.input) > 2 else _added(graph, node.output[0])
        zeros = np.zeros(len(rows), dtype=np.float32)
        return np.array(rows, dtype=np.float32), zeros if bias is None else np.array(bias, dtype=np.float32)
    raise ImportRefused(f"the last layer must be a product of {hidden_size} units by constant weights")


def _added(graph: _Graph, name: str) -> Array | None:
    """Returns the constant vector that is added to a tensor, if one is."""
    for node in graph.proto.node:
        if node.op_type == "Add" and name in node.input:
            return next((c for part in node.input if (c := graph.constant(part)) is not None), None)
    return None
