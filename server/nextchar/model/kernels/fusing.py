"""Rewrites an int8 step graph so that one compiled operator computes what follows the products of a cell.

In the graph of an export a cell is a dozen operators, each of which reads and writes all rows. An operator
of `nextchar-kernels` reads the integer products and writes the states. The parts of a cell are found by the
names that exports give them (`network/cells` of training); the products themselves stay onnxruntime's. The
result is for this process alone: files stay as exports write them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nextchar.model.card import Card, Cell
from nextchar.model.kernels.library import KernelsUnusable
from nextchar.pb import onnx_part_pb2 as onnx

DOMAIN = "nextchar.kernels"
_FLOAT32 = 1  # ONNX's number of the type

# The operator of each cell that has one, as the package names it.
OPERATORS: dict[Cell, str] = {
    "rnn_tanh": "TanhCell",
    "lstm": "LstmCell",
    "lstm_coupled": "CoupledLstmCell",
    "gru": "GruCell",
}


def fuse_cells(content: bytes, card: Card) -> bytes:
    """Returns the bytes of a step graph whose cells are compiled operators, given bytes that were screened.

    The cells are in the body of the graph's loop, or, in a bare step, in the graph itself.

    Raises:
        KernelsUnusable: the graph does not name its parts as exports of such a cell do.
    """
    model = onnx.Model()
    model.ParseFromString(content)
    try:
        fused = _FusedBody(_step(model.graph), OPERATORS[card.cell])
        for layer in range(1 + max(int(name.rpartition("_")[2]) for name in card.states)):
            fused.layer(layer)
    except (KeyError, IndexError, ValueError) as error:
        raise KernelsUnusable(f"the graph is not as exports write it: {error!r}") from error
    fused.finish()
    model.opset_import.append(onnx.OperatorSet(domain=DOMAIN, version=1))
    return bytes(model.SerializeToString())


def _step(graph: onnx.Graph) -> onnx.Graph:
    loops = [node for node in graph.node if node.op_type == "Loop"]
    bodies: list[onnx.Graph] = [a.g for loop in loops for a in loop.attribute if a.HasField("g")]
    return bodies[0] if bodies else graph


@dataclass(frozen=True, slots=True)
class _Product:
    """An integer product by the names of its parts; empty where there is none."""

    integers: str
    scale: str
    bias: str


class _FusedBody:
    """Puts compiled cells in the place of a body's nodes, layer by layer."""

    def __init__(self, body: onnx.Graph, operator: str) -> None:
        self._body, self._operator = body, operator
        self._makers = {name: index for index, node in enumerate(body.node) for name in node.output}
        self._constants = {tensor.name: tensor for tensor in body.initializer}
        self._nodes: list[onnx.Node | None] = list(body.node)

    def layer(self, layer: int) -> None:
        """Puts one operator in the place of what a layer computes after its products."""
        has_cell = f"c_{layer}_after" in self._makers
        is_gru = self._operator == "GruCell"
        quantized = f"h_{layer}_after_read" if is_gru else f"h_{layer}_after"
        _, state_scale, state_zero = self._node(quantized).input
        before, after = "", ""
        if is_gru or has_cell:
            state = "h" if is_gru else "c"
            before, after = f"{state}_{layer}_before", f"{state}_{layer}_after"
        gates, ids = self._gates(layer, is_gru=is_gru)
        inputs = [gates.integers, gates.scale, gates.bias, ids, state_scale, state_zero, before]
        if is_gru:
            recurrent = self._product(f"recurrent_{layer}")
            inputs += [recurrent.integers, recurrent.scale, recurrent.bias]
        place = self._makers[quantized]
        if after:
            self._nodes[self._makers[after]] = None
        self._nodes[place] = onnx.Node(
            name=f"cell_{layer}",
            op_type=self._operator,
            domain=DOMAIN,
            input=inputs,
            output=[quantized, after] if after else [quantized],
        )

    def finish(self) -> None:
        """Keeps the nodes and constants that are still needed."""
        needed, kept = {value.name for value in self._body.output}, []
        for node in reversed(self._nodes):
            if node is not None and needed.intersection(node.output):
                kept.append(node)
                needed.update(_read(node))
        constants = [tensor for tensor in self._constants.values() if tensor.name in needed]
        body = onnx.Graph(
            name=self._body.name,
            node=reversed(kept),
            initializer=constants,
            input=self._body.input,
            output=self._body.output,
        )
        self._body.CopyFrom(body)

    def _gates(self, layer: int, *, is_gru: bool) -> tuple[_Product, str]:
        """Returns the product of the gates (of a GRU: from the input) and the ids that choose its addend."""
        if layer > 0:
            return self._product(f"input_{layer}" if is_gru else f"gates_{layer}"), ""
        table, ids = self._node("input_0").input
        product = _Product("", "", "") if is_gru else self._product("gates_0_product")
        return _Product(product.integers, product.scale, table), ids

    def _product(self, name: str) -> _Product:
        """Leaves a product unscaled, and returns its parts."""
        node = self._node(name)
        a, b, a_scale, b_scale, a_zero = node.input[:5]
        bias = node.input[6] if len(node.input) > 6 else ""
        integers, scale = f"{name}_integers", f"{name}_columns"
        self._nodes[self._makers[name]] = onnx.Node(
            name=integers, op_type="MatMulInteger", input=[a, b, a_zero], output=[integers]
        )
        with np.errstate(all="ignore"):  # a file may hold any numbers
            columns = self._floats(a_scale) * self._floats(b_scale)
        self._constants[scale] = onnx.Tensor(
            name=scale, data_type=_FLOAT32, dims=columns.shape, raw_data=columns.tobytes()
        )
        return _Product(integers, scale, bias)

    def _node(self, output: str) -> onnx.Node:
        node: onnx.Node = self._body.node[self._makers[output]]
        return node

    def _floats(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return np.frombuffer(self._constants[name].raw_data, dtype="<f4")


def _read(node: onnx.Node) -> Iterable[str]:
    """Lists what a node reads, the graphs inside it included."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from (value.name for value in attribute.g.output)
            for inner in attribute.g.node:
                yield from _read(inner)
