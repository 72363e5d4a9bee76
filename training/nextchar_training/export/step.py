"""Builds the folded step graph: every lane some characters on in one call, in float32 or int8.

`lane_loop` describes the inputs and outputs; this module writes the network inside: `ids_before` [batch] and
each layer's states `h_0_before`, `c_0_before`, … [batch, hidden] to `logits` [batch, num_outputs] and
`h_0_after`, …. The cells write themselves (`network/cells`). Two folds make the graph fast:

* The first layer reads one of few symbols, so `embedding · W_x + b` is a table with one row per symbol.
* A bounded state lies in (-1, 1), so it is quantised with the fixed scale 1/127 around zero point 128, and
  the recurrent product is an exact integer product: uint8 states by int8 weights, one scale per column.
  (uint8 by int8 is the pair with a fast kernel.) The states in a cell's `uint8_states` are *kept* as uint8.

A row's result does not depend on the other rows; see docs/determinism.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card, Cell, Precision
from nextchar_training.export.builder import GraphBuilder
from nextchar_training.export.lane_loop import State, build_lane_loop
from nextchar_training.network.cells.cell import RecurrentCell
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array, LayerWeights, Weights, reorder_gates


def step_states(cell: Cell, num_layers: int) -> dict[str, str]:
    """Returns the state outputs by the state inputs that they feed, layer by layer."""
    names = [f"{name}_{layer}" for layer in range(num_layers) for name in CELLS[cell].states]
    return {name: f"{name}_next" for name in names}


def build_step_graph(weights: Weights, precision: Precision, card: Card) -> bytes:
    """Returns the bytes of a step graph; raises as `write_step`."""
    g, states = write_step(weights, precision)
    return build_lane_loop(g, states, card)


def write_step(weights: Weights, precision: Precision) -> tuple[GraphBuilder, list[State]]:
    """Writes one step of a network, from `ids_before` and states to `logits` and states.

    Raises:
        InvalidRequest: the precision is int8 and the cell has no int8 step graph.
    """
    cell = CELLS[weights.cell]
    if precision == "int8" and not cell.has_int8:
        raise InvalidRequest(
            f"precision must be float32 for a {cell.title}, whose states are unbounded (precision is int8)",
            param="precision",
        )
    arithmetic = _Int8() if precision == "int8" else _Float32()
    states, below = [], ""
    for index, layer_weights in enumerate(weights.layers):
        layer = _Layer(weights, layer_weights, arithmetic, index, below)
        names = [(name, f"{name}_{index}") for name in cell.states]
        states += [State(name, arithmetic.state_type(cell, s), weights.hidden_size) for s, name in names]
        below = cell.write_step(layer)
    arithmetic.product(below, weights.output, weights.output_bias, "logits")
    return arithmetic.g, states


class _Float32:
    """Writes products in float32; states are read and kept as they are."""

    def __init__(self) -> None:
        self.g = GraphBuilder()

    def state_type(self, cell: RecurrentCell, name: str) -> str:
        """Returns the type that a state is kept in."""
        del cell, name
        return "float32"

    def product(self, x: str, weight: Array, bias: Array, name: str) -> str:
        """Writes x [batch, in] · weight.T [in, out] + bias."""
        inputs = [x, self.g.constant(f"{name}_weight", weight.T), self.g.constant(f"{name}_bias", bias)]
        return self.g.node("Gemm", inputs, name)

    def product_plus(self, x: str, weight: Array, addend: str, name: str) -> str:
        """Writes x · weight.T + addend [batch, out], the addition inside the product."""
        return self.g.node("Gemm", [x, self.g.constant(f"{name}_weight", weight.T), addend], name)

    def hidden(self, index: int) -> str:
        """Returns the name of the new hidden state before it is kept."""
        return f"h_{index}_after"

    def keep(self, index: int) -> str:
        """Writes the new hidden state in the type it is kept in; the next product reads that."""
        return f"h_{index}_after"

    def read(self, x: str) -> str:
        """Writes a float32 state as a product reads it."""
        return x


class _Int8:
    """Writes products of uint8 states and int8 weights, exact in int32 and scaled once."""

    def __init__(self) -> None:
        self.g = GraphBuilder()
        self.scale = self.g.constant("state_scale", np.array(1 / 127, dtype=np.float32))
        self.zero = self.g.constant("state_zero", np.array(128, dtype=np.uint8))

    def state_type(self, cell: RecurrentCell, name: str) -> str:
        return "uint8" if name in cell.uint8_states else "float32"

    def product(self, x: str, weight: Array, bias: Array, name: str) -> str:
        inputs = [*self._operands(x, weight, name), "", self.g.constant(f"{name}_bias", bias)]
        return self.g.contrib("MatMulIntegerToFloat", inputs, name)

    def product_plus(self, x: str, weight: Array, addend: str, name: str) -> str:
        product = self.g.contrib("MatMulIntegerToFloat", self._operands(x, weight, name), f"{name}_product")
        return self.g.node("Add", [product, addend], name)

    def hidden(self, index: int) -> str:
        return f"hidden_{index}"

    def keep(self, index: int) -> str:
        return self._quantize(f"hidden_{index}", f"h_{index}_after")

    def read(self, x: str) -> str:
        return self._quantize(x, f"{x}_read")

    def _quantize(self, x: str, name: str) -> str:
        return self.g.node("QuantizeLinear", [x, self.scale, self.zero], name)

    def _operands(self, x: str, weight: Array, name: str) -> list[str]:
        quantized, scales = quantize_columns(weight.T)
        return [
            x,
            self.g.constant(f"{name}_weight", quantized),
            self.scale,
            self.g.constant(f"{name}_scale", scales),
            self.zero,
        ]


def quantize_columns(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Quantises to symmetric int8 with one scale per column: weight [in, out] ≈ quantized · scales [out]."""
    scales = np.maximum(np.abs(weight).max(axis=0), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(weight / scales).astype(np.int8), scales.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer under construction: what a cell writes with (`StepLayer`), in one arithmetic."""

    network: Weights
    weights: LayerWeights
    arithmetic: _Float32 | _Int8
    index: int
    below: str  # the hidden state of the layer below, as a product reads it; none below the first

    @property
    def new_hidden(self) -> str:
        return self.arithmetic.hidden(self.index)

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        return self.arithmetic.g.node(operator, inputs, output, **attributes)

    def gates(self, order: tuple[int, ...]) -> str:
        layer, i = self.weights, self.index
        bias = reorder_gates(layer.input_bias + layer.recurrent_bias, order)
        from_input, from_state = reorder_gates(layer.input, order), reorder_gates(layer.recurrent, order)
        if i == 0:
            looked_up = self._table(from_input, bias)
            return self.arithmetic.product_plus("h_0_before", from_state, looked_up, "gates_0")
        both = self.node("Concat", [self.below, f"h_{i}_before"], f"read_{i}", axis=1)
        weight = np.concatenate([from_input, from_state], axis=1)
        return self.arithmetic.product(both, weight, bias, f"gates_{i}")

    def input_product(self) -> str:
        layer = self.weights
        if self.index == 0:
            return self._table(layer.input, layer.input_bias)
        return self.arithmetic.product(self.below, layer.input, layer.input_bias, f"input_{self.index}")

    def recurrent_product(self, gates: tuple[int, ...] | None = None, of: str | None = None) -> str:
        layer, i = self.weights, self.index
        weight, bias, name = layer.recurrent, layer.recurrent_bias, f"recurrent_{i}"
        if gates is not None:
            num_gates = len(bias) // self.network.hidden_size
            weight, bias = (
                np.concatenate([np.split(array, num_gates)[gate] for gate in gates])
                for array in (weight, bias)
            )
            name = f"recurrent_{i}_{'_'.join(map(str, gates))}"
        return self.arithmetic.product(self.arithmetic.read(of or f"h_{i}_before"), weight, bias, name)

    def _table(self, weight: Array, bias: Array) -> str:
        """Writes the lookup of embedding · W_x + b by symbol: [batch, gates·hidden]."""
        table = self.network.embedding.astype(np.float64) @ weight.T.astype(np.float64) + bias
        constant = self.arithmetic.g.constant("table", table.astype(np.float32))
        return self.node("Gather", [constant, "ids_before"], "input_0", axis=0)

    def split(self, x: str, names: list[str], sizes: list[int]) -> list[str]:
        return self._split(x, names, sizes, "gate_sizes")

    def split_equally(self, x: str, num_parts: int) -> list[str]:
        return self._split(x, [f"{x}_{k}" for k in range(num_parts)], [1] * num_parts, "equal_sizes")

    def _split(self, x: str, names: list[str], sizes: list[int], constant: str) -> list[str]:
        g = self.arithmetic.g
        lengths = g.constant(constant, np.array(sizes, dtype=np.int64) * self.network.hidden_size)
        return g.nodes("Split", [x, lengths], names, axis=1)

    def keep_hidden(self) -> str:
        return self.arithmetic.keep(self.index)

    def read(self, x: str) -> str:
        return self.arithmetic.read(x)
