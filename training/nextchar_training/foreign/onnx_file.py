"""Reads an ONNX file of another program: Gather or one-hot, RNN, LSTM or GRU operators, and one product."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.network import ForeignNetwork
from nextchar_training.foreign.onnx_forward import Forward, original_forward
from nextchar_training.foreign.onnx_graph import RECURRENT, OnnxGraph, OnnxPath, find_path, first_state
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array, LayerWeights, Weights, reorder_gates

_ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}


def read_onnx(path: Path) -> tuple[ForeignNetwork, Forward | None]:
    """Reads the network of a file, and a function that runs the file itself, where its inputs allow that.

    Raises:
        ImportRefused: the file cannot be read, or the network cannot be served.
    """
    try:
        proto = onnx.load(path)
    except OSError as error:
        raise ImportRefused(f"cannot read {path.name}: {error.strerror}", param="file") from None
    except Exception as error:  # noqa: BLE001  protobuf's and onnx's own errors have no common base
        raise ImportRefused(
            f"{path.name} is not an ONNX file: {type(error).__name__}", param="file"
        ) from None
    graph = OnnxGraph(proto.graph)
    if not any(node.op_type in RECURRENT for node in proto.graph.node):
        raise ImportRefused(f"{path.name} has no RNN, LSTM or GRU operator", param="file")
    found = find_path(graph)
    foreign = _network(graph, found)
    return foreign, original_forward(proto, found, foreign)


def _network(graph: OnnxGraph, path: OnnxPath) -> ForeignNetwork:
    made = [_layer(graph, node) for node in path.recurrent]
    cells = {cell for cell, _ in made}
    widths = {layer.recurrent.shape[1] for _, layer in made}
    if len(cells) > 1 or len(widths) > 1:
        raise ImportRefused(
            f"all recurrent layers must be of one kind and width (are {', '.join(sorted(cells))} of "
            f"{', '.join(map(str, sorted(widths)))})"
        )
    layers, width = tuple(layer for _, layer in made), widths.pop()
    embedding = _embedding(graph, path.embedding, layers[0].input.shape[1])
    output, bias = _output(graph, path, width)
    whole = np.eye(layers[0].input.shape[1], dtype=np.float32) if embedding is None else embedding
    weights = Weights(cells.pop(), whole, layers, output, bias)
    return ForeignNetwork(weights, embedding is None, _start(graph, path.recurrent, width))


def _layer(graph: OnnxGraph, node: NodeProto) -> tuple[Cell, LayerWeights]:
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


def _embedding(graph: OnnxGraph, node: NodeProto | None, size: int) -> Array | None:
    """Returns the table that symbols are looked up in; None where they come one-hot."""
    if node is None:
        return None
    table = graph.constant(node.input[0] if node.op_type == "Gather" else node.input[2])
    if node.op_type == "OneHot" and table is not None and table.tolist() == [0, 1]:
        return None
    if node.op_type == "OneHot" or table is None or table.ndim != 2 or table.shape[1] != size:
        raise ImportRefused(f"the first layer must read rows of {size} numbers, or one-hot rows of 0 and 1")
    return np.asarray(table, dtype=np.float32)


def _output(graph: OnnxGraph, path: OnnxPath, hidden_size: int) -> tuple[Array, Array]:
    """Returns the weights of the last product, [num_symbols, hidden], and its bias."""
    weight = graph.constant(path.product.input[1])
    assert weight is not None, "a product by constant weights was looked for"
    attributes = {a.name: helper.get_attribute_value(a) for a in path.product.attribute}
    rows = weight if attributes.get("transB") else weight.T
    factors = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if rows.ndim != 2 or rows.shape[1] != hidden_size or factors != (1.0, 1.0) or attributes.get("transA"):
        raise ImportRefused(f"the last layer must be a product of {hidden_size} units by constant weights")
    bias = np.zeros(len(rows)) if path.bias is None else np.broadcast_to(path.bias.ravel(), len(rows))
    return np.array(rows, dtype=np.float32), np.array(bias, dtype=np.float32)


def _start(graph: OnnxGraph, nodes: list[NodeProto], hidden_size: int) -> Array | None:
    """Returns the constant first state of an RNN or GRU of one layer; None for zeros."""
    starts = [first_state(graph, name, hidden_size) for node in nodes for name in list(node.input)[5:7]]
    found = [start for start in starts if start is not None]
    if found and (len(nodes) > 1 or nodes[0].op_type == "LSTM"):
        raise ImportRefused("a learnt first state must be of one layer of an RNN or GRU: others must be zero")
    return found[0] if found else None
