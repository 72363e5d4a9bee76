"""Builds `model.onnx`: the network in standard ONNX operators, in float32, for any batch and time.

Inputs `ids` int64 [batch, time] and the states `h` (and `c` for LSTM) [num_layers, batch, hidden];
outputs `logits` [batch, time, num_outputs] and `h_next`, `c_next`. It runs in any ONNX runtime.
Operator definitions: https://onnx.ai/onnx/operators/ (RNN, GRU, LSTM).
"""

import numpy as np

from nextchar.model.card import Card, Cell
from nextchar_training.export.builder import GraphBuilder
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array, LayerWeights, Weights, expand_gates, reorder_gates


def sequence_states(cell: Cell) -> dict[str, str]:
    """Returns the state outputs by the state inputs that they feed."""
    return {name: f"{name}_next" for name in CELLS[cell].states}


def build_sequence_graph(weights: Weights, card: Card) -> bytes:
    """Returns the bytes of `model.onnx`."""
    g = GraphBuilder()
    num_layers, hidden = len(weights.layers), weights.hidden_size
    g.input("ids", "int64", ["batch", "time"])
    for name in CELLS[weights.cell].states:
        g.input(name, "float32", [num_layers, "batch", hidden])
    by_time = g.node("Transpose", ["ids"], "ids_by_time", perm=[1, 0])
    x = g.node("Gather", [g.constant("embedding", weights.embedding), by_time], "embedded", axis=0)
    initial = {name: _split_layers(g, name, num_layers) for name in CELLS[weights.cell].states}
    final: dict[str, list[str]] = {name: [] for name in initial}
    for index, layer in enumerate(weights.layers):
        x = _layer(g, weights.cell, index, layer, x, {name: initial[name][index] for name in initial}, final)
    by_batch = g.node("Transpose", [x], "hidden", perm=[1, 0, 2])
    product = g.node("MatMul", [by_batch, g.constant("output_weight", weights.output.T)], "output_product")
    g.node("Add", [product, g.constant("output_bias", weights.output_bias)], "logits")
    g.output("logits", "float32", ["batch", "time", len(weights.output_bias)])
    for name, parts in final.items():
        g.node("Concat", parts, f"{name}_next", axis=0)
        g.output(f"{name}_next", "float32", [num_layers, "batch", hidden])
    return g.build("nextchar_sequence", card)


def _split_layers(g: GraphBuilder, name: str, num_layers: int) -> list[str]:
    """Splits a state [num_layers, batch, hidden] into one [1, batch, hidden] per layer."""
    if num_layers == 1:
        return [name]
    sizes = g.constant("one_a_layer", np.ones(num_layers, dtype=np.int64))
    return g.nodes("Split", [name, sizes], [f"{name}_{i}" for i in range(num_layers)], axis=0)


def _layer(
    g: GraphBuilder,
    cell: Cell,
    index: int,
    layer: LayerWeights,
    x: str,
    initial: dict[str, str],
    final: dict[str, list[str]],
) -> str:
    operator, kernel_gates = CELLS[cell].onnx, CELLS[cell].kernel_gates

    def ordered(array: Array) -> Array:
        return reorder_gates(expand_gates(array, kernel_gates), operator.order)

    inputs = [
        x,
        g.constant(f"input_weight_{index}", ordered(layer.input)[None]),
        g.constant(f"recurrent_weight_{index}", ordered(layer.recurrent)[None]),
        g.constant(
            f"bias_{index}", np.concatenate([ordered(layer.input_bias), ordered(layer.recurrent_bias)])[None]
        ),
        "",  # sequence_lens: every row has the whole time axis
        *initial.values(),
    ]
    outputs = [f"y_{index}", *(f"{name}_{index}_next" for name in initial)]
    g.nodes(operator.name, inputs, outputs, hidden_size=layer.recurrent.shape[1], **operator.attributes)
    for name, output in zip(initial, outputs[1:], strict=True):
        final[name].append(output)
    axis = g.constant("direction_axis", np.array([1], dtype=np.int64))
    return g.node("Squeeze", [outputs[0], axis], f"hidden_{index}")  # [time, 1, batch, h] → [time, batch, h]
