"""The folded step graph: every lane some characters on in one call, float32 or int8.

`lane_loop` says what goes in and out; this module writes the network inside: `ids_before` [batch] and
each layer's states `h_0_before`, `c_0_before`, … [batch, hidden] to `logits` [batch, num_outputs] and
`h_0_after`, …. Two folds make it fast:

* The first layer reads one of few symbols, so `embedding · W_x + b` is a table with a row a symbol.
* An LSTM, GRU or tanh state lies in (-1, 1), so it is quantised with the fixed scale 1/127 around zero
  point 128, and the recurrent product is an exact integer product: uint8 states by int8 weights, one
  scale a column. (uint8 by int8 is the pair with a fast kernel.) LSTM and tanh states are *kept* as
  uint8; a GRU also needs its state as it was, for the interpolation, and keeps float32.

A row's result does not depend on the other rows; see docs/determinism.md.
"""

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card, Cell, Precision
from nextchar_training.export.builder import GraphBuilder
from nextchar_training.export.lane_loop import State, build_lane_loop
from nextchar_training.export.sequence import STATES
from nextchar_training.network.weights import Array, LayerWeights, Weights, reorder_gates

# What one Sigmoid reads lies together: i f g o → i f o g, f g o → f o g.
_LSTM_ORDER: dict[Cell, tuple[int, ...]] = {"lstm": (0, 1, 3, 2), "lstm_coupled": (0, 2, 1)}


def step_states(cell: Cell, num_layers: int) -> dict[str, str]:
    """State input to output, by name, layer by layer."""
    names = [f"{name}_{layer}" for layer in range(num_layers) for name in STATES[cell]]
    return {name: f"{name}_next" for name in names}


def build_step_graph(weights: Weights, precision: Precision, card: Card) -> bytes:
    """The bytes of a step graph; raises as `write_step`."""
    g, states = write_step(weights, precision)
    return build_lane_loop(g, states, card)


def write_step(weights: Weights, precision: Precision) -> tuple[GraphBuilder, list[State]]:
    """One step of a network, from `ids_before` and states to `logits` and states.

    Raises:
        InvalidRequest: int8 asked for a ReLU network, whose states are unbounded.
    """
    if precision == "int8" and weights.cell == "rnn_relu":
        raise InvalidRequest(
            "a ReLU network has unbounded states: it has no int8 step graph", param="precision"
        )
    fold = _Int8(weights.hidden_size) if precision == "int8" else _Float32(weights.hidden_size)
    return fold.g, _Step(weights, fold).write()


class _Float32:
    """Products in float32; states are what they are."""

    def __init__(self, hidden_size: int) -> None:
        self.g = GraphBuilder()
        self.hidden_size = hidden_size

    def state_type(self, cell: Cell, name: str) -> str:
        del cell, name
        return "float32"

    def product(self, x: str, weight: Array, bias: Array, name: str) -> str:
        """x [batch, in] · weight.T [in, out] + bias."""
        inputs = [x, self.g.constant(f"{name}_weight", weight.T), self.g.constant(f"{name}_bias", bias)]
        return self.g.node("Gemm", inputs, name)

    def product_plus(self, x: str, weight: Array, addend: str, name: str) -> str:
        """x · weight.T + addend [batch, out], the addition inside the product."""
        return self.g.node("Gemm", [x, self.g.constant(f"{name}_weight", weight.T), addend], name)

    def hidden(self, index: int) -> str:
        """The name a cell gives its new hidden state."""
        return f"h_{index}_after"

    def keep(self, index: int) -> str:
        """The new hidden state as it is kept, and as the next product reads it."""
        return f"h_{index}_after"

    def read(self, x: str) -> str:
        """A kept float32 state as a product reads it."""
        return x


class _Int8:
    """Products of uint8 states and int8 weights, exact in int32, scaled once."""

    def __init__(self, hidden_size: int) -> None:
        self.g = GraphBuilder()
        self.hidden_size = hidden_size
        self.scale = self.g.constant("state_scale", np.array(1 / 127, dtype=np.float32))
        self.zero = self.g.constant("state_zero", np.array(128, dtype=np.uint8))

    def state_type(self, cell: Cell, name: str) -> str:
        return "float32" if cell == "gru" or name.startswith("c") else "uint8"

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
    """Symmetric int8 with one scale a column: weight [in, out] ≈ quantized · scales [out]."""
    scales = np.maximum(np.abs(weight).max(axis=0), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(weight / scales).astype(np.int8), scales.astype(np.float32)


class _Step:
    """Writes the cells; `fold` writes the products."""

    def __init__(self, weights: Weights, fold: _Float32 | _Int8) -> None:
        self.weights = weights
        self.fold = fold
        self.g = fold.g

    def write(self) -> list[State]:
        """Write all layers and the logits; the states they read and write."""
        w, states, below = self.weights, [], ""
        for index, layer in enumerate(w.layers):
            names = [f"{name}_{index}" for name in STATES[w.cell]]
            states += [State(name, self.fold.state_type(w.cell, name), w.hidden_size) for name in names]
            below = self._layer(index, layer, below)
        self.fold.product(below, w.output, w.output_bias, "logits")
        return states

    def _layer(self, index: int, layer: LayerWeights, below: str) -> str:
        """One layer; returns its new hidden state as the next product reads it."""
        match self.weights.cell:
            case "lstm" | "lstm_coupled":
                return self._lstm(index, layer, below)
            case "gru":
                return self._gru(index, layer, below)
            case "rnn_tanh" | "rnn_relu":
                return self._rnn(index, layer, below)

    def _table(self, layer: LayerWeights, bias: Array, name: str) -> str:
        """embedding · W_x + b for every symbol, looked up: [batch, gates·hidden]."""
        table = self.weights.embedding.astype(np.float64) @ layer.input.T.astype(np.float64) + bias
        return self.g.node(
            "Gather", [self.g.constant("table", table.astype(np.float32)), "ids_before"], name, axis=0
        )

    def _gates(self, index: int, layer: LayerWeights, below: str, order: tuple[int, ...]) -> str:
        """W_x x + W_h h + b [batch, gates·hidden]; above the first layer one product of both."""
        bias = reorder_gates(layer.input_bias + layer.recurrent_bias, order)
        ordered = LayerWeights(
            reorder_gates(layer.input, order), reorder_gates(layer.recurrent, order), bias, bias
        )
        if index == 0:
            looked_up = self._table(ordered, bias, "input_0")
            return self.fold.product_plus("h_0_before", ordered.recurrent, looked_up, "gates_0")
        both = self.g.node("Concat", [below, f"h_{index}_before"], f"read_{index}", axis=1)
        weight = np.concatenate([ordered.input, ordered.recurrent], axis=1)
        return self.fold.product(both, weight, bias, f"gates_{index}")

    def _rnn(self, index: int, layer: LayerWeights, below: str) -> str:
        gates = self._gates(index, layer, below, (0,))
        operator = "Tanh" if self.weights.cell == "rnn_tanh" else "Relu"
        self.g.node(operator, [gates], self.fold.hidden(index))
        return self.fold.keep(index)

    def _lstm(self, index: int, layer: LayerWeights, below: str) -> str:
        g, i = self.g, index
        order = _LSTM_ORDER[self.weights.cell]
        *names, new = self._split(self._gates(i, layer, below, order), len(order))
        *in_gate, forget, out_gate = (g.node("Sigmoid", [name], f"{name}_open") for name in names)
        candidate = g.node("Tanh", [new], f"candidate_{i}")
        if in_gate:
            kept = g.node("Mul", [forget, f"c_{i}_before"], f"kept_{i}")
            written = g.node("Mul", [in_gate[0], candidate], f"written_{i}")
            cell = g.node("Add", [kept, written], f"c_{i}_after")
        else:  # coupled: c' = g + f (c - g)
            distance = g.node("Sub", [f"c_{i}_before", candidate], f"distance_{i}")
            kept = g.node("Mul", [forget, distance], f"kept_{i}")
            cell = g.node("Add", [candidate, kept], f"c_{i}_after")
        g.node("Mul", [out_gate, g.node("Tanh", [cell], f"cell_tanh_{i}")], self.fold.hidden(i))
        return self.fold.keep(i)

    def _gru(self, index: int, layer: LayerWeights, below: str) -> str:
        g, i, hidden = self.g, index, self.fold.hidden_size
        if i == 0:
            x = self._table(layer, layer.input_bias, "input_0")
        else:
            x = self.fold.product(below, layer.input, layer.input_bias, f"input_{i}")
        h = self.fold.product(
            self.fold.read(f"h_{i}_before"), layer.recurrent, layer.recurrent_bias, f"recurrent_{i}"
        )
        sizes = g.constant("gate_sizes", np.array([2 * hidden, hidden], dtype=np.int64))
        x_gates, x_new = g.nodes("Split", [x, sizes], [f"x_gates_{i}", f"x_new_{i}"], axis=1)
        h_gates, h_new = g.nodes("Split", [h, sizes], [f"h_gates_{i}", f"h_new_{i}"], axis=1)
        gates = g.node("Sigmoid", [g.node("Add", [x_gates, h_gates], f"gates_{i}")], f"open_{i}")
        reset, update = self._split(gates, 2)
        recalled = g.node("Add", [x_new, g.node("Mul", [reset, h_new], f"reset_{i}")], f"recalled_{i}")
        new = g.node("Tanh", [recalled], f"new_{i}")
        distance = g.node("Sub", [f"h_{i}_before", new], f"distance_{i}")  # h' = n + z (h - n)
        g.node("Add", [new, g.node("Mul", [update, distance], f"kept_{i}")], f"h_{i}_after")
        return self.fold.read(f"h_{i}_after")

    def _split(self, x: str, parts: int) -> list[str]:
        sizes = self.g.constant("equal_sizes", np.full(parts, self.fold.hidden_size, dtype=np.int64))
        return self.g.nodes("Split", [x, sizes], [f"{x}_{k}" for k in range(parts)], axis=1)
