"""Holds the graph of an ONNX file, and finds the one path that characters take through it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.network.weights import Array

RECURRENT = ("RNN", "LSTM", "GRU")
# Operators that move numbers and change none; of a first state, also those that repeat or cut it.
_MOVES = {
    "Cast",
    "Dropout",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_MOVES_OF_STATES = _MOVES | {"Expand", "Split", "Tile"}
_AFTER_LOGITS = _MOVES | {"ArgMax", "Log", "LogSoftmax", "Shape", "Softmax"}


@dataclass
class OnnxGraph:
    """A graph's constants by name, computed where an exporter left arithmetic on them."""

    proto: Any
    known: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known |= {tensor.name: numpy_helper.to_array(tensor) for tensor in self.proto.initializer}
        self.makers = {name: node for node in self.proto.node for name in node.output}

    def constant(self, name: str) -> Array | None:
        """Returns the array of a name that does not depend on the graph's inputs.

        Raises:
            ImportRefused: its arithmetic is none of onnx, or does not fit its constants.
        """
        if not name:
            return None
        if name not in self.known:
            node = self.makers.get(name)
            if node is None or any(self.constant(part) is None for part in node.input if part):
                return None
            self.known |= zip(node.output, self._computed(node), strict=True)
        return self.known[name]

    def source(self, name: str) -> tuple[NodeProto | None, str]:
        """Returns the node that computes a tensor before it was moved about, and the name that it had there.

        There is no node for an input of the graph.
        """
        node = self.makers.get(name)
        while node is not None and node.op_type in _MOVES and self.constant(node.input[0]) is None:
            name = node.input[0]
            node = self.makers.get(name)
        return node, name

    def readers(self, name: str) -> list[NodeProto]:
        """Returns the nodes that read a tensor."""
        return [node for node in self.proto.node if name in node.input]

    def _computed(self, node: NodeProto) -> list[Array]:
        given = list(dict.fromkeys(part for part in node.input if part))
        graph = helper.make_graph(
            [node],
            "constant",
            [helper.make_empty_tensor_value_info(name) for name in given],
            [helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        model = helper.make_model(graph)
        try:
            return list(ReferenceEvaluator(model).run(None, {name: self.known[name] for name in given}))
        except Exception as error:  # the reference raises anything for what it cannot compute
            raise ImportRefused(
                f"{node.op_type} of constants must be computable by onnx ({type(error).__name__}): export "
                "the network with constant folding, or from its weights alone"
            ) from error


@dataclass(frozen=True)
class OnnxPath:
    """The nodes of a network: `embedding` is None where characters come one-hot as an input.

    `ids` names the input that characters come by, `logits` the sums before any softmax.
    """

    ids: str
    embedding: NodeProto | None
    recurrent: list[NodeProto]
    product: NodeProto
    bias: Array | None
    logits: str


def find_path(graph: OnnxGraph) -> OnnxPath:
    """Finds the path from the input through the recurrent operators to the last product.

    Raises:
        ImportRefused: there is another operator on the path, or a recurrent one beside it.
    """
    product = next((node for node in reversed(graph.proto.node) if _is_product(graph, node)), None)
    if product is None:
        raise ImportRefused("the last layer must be a product by constant weights (there is none)")
    bias, logits = _biased(graph, product)
    _check_after(graph, logits)
    recurrent: list[NodeProto] = []
    node, name = graph.source(product.input[0])
    while node is not None and node.op_type in RECURRENT:
        if name not in node.output[:2]:
            raise _other_path("the cells of an LSTM as an output")
        recurrent.insert(0, node)
        node, name = graph.source(node.input[0])
    looks_up = node is not None and node.op_type in ("Gather", "OneHot")
    before, ids = (node, name)
    if node is not None and looks_up:
        before, ids = graph.source(node.input[1 if node.op_type == "Gather" else 0])
    if before is not None or not recurrent:
        raise _other_path(before.op_type if before is not None else "no recurrent layer before the product")
    beside = next((n for n in graph.proto.node if n.op_type in RECURRENT and n not in recurrent), None)
    if beside is not None:
        raise _other_path(f"{beside.op_type} beside it")
    return OnnxPath(ids, node, recurrent, product, bias, logits)


def _is_product(graph: OnnxGraph, node: NodeProto) -> bool:
    """Returns whether a node is a product by constant weights."""
    if node.op_type not in ("Gemm", "MatMul") or graph.constant(node.input[0]) is not None:
        return False
    return graph.constant(node.input[1]) is not None


def _other_path(found: str) -> ImportRefused:
    return ImportRefused(
        "the network must be one path of Gather or one-hot, RNN, LSTM or GRU and one product (has "
        f"{found}): a network with another part cannot be served"
    )


def _biased(graph: OnnxGraph, product: NodeProto) -> tuple[Array | None, str]:
    """Returns the constant that is added to a product, if one is, and the name of the sum."""
    (name,) = product.output
    if len(product.input) > 2:
        return graph.constant(product.input[2]), name
    for node in graph.readers(name):
        constants = [c for part in node.input if (c := graph.constant(part)) is not None]
        if node.op_type == "Add" and constants:
            return constants[0], node.output[0]
    return None, name


def _check_after(graph: OnnxGraph, logits: str) -> None:
    pending = [logits]
    for name in pending:
        for node in graph.readers(name):
            if node.op_type not in _AFTER_LOGITS:
                raise _other_path(f"{node.op_type} after the product")
            pending += [] if node.op_type == "Shape" else node.output


def first_state(graph: OnnxGraph, name: str, hidden_size: int) -> Array | None:
    """Returns the state [hidden] that a layer starts from; None for zeros, and for what a caller gives.

    Raises:
        ImportRefused: it is neither a constant nor given.
    """
    while name:
        constant, node = graph.constant(name), graph.makers.get(name)
        if constant is None and node is None:
            return None
        if constant is None and node is not None and node.op_type == "ConstantOfShape":
            values = [numpy_helper.to_array(helper.get_attribute_value(a)) for a in node.attribute]
            constant = values[0] if values else np.zeros(1, dtype=np.float32)
        if constant is not None:
            if not constant.any():
                return None
            if constant.size == hidden_size:
                return np.asarray(constant, dtype=np.float32).ravel()
        if node is None or constant is not None or node.op_type not in _MOVES_OF_STATES:
            raise ImportRefused(
                f"the first state of a layer must be zero, or one constant of {hidden_size} numbers"
            )
        name = node.input[0]
    return None
