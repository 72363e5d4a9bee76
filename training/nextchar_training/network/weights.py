"""Reads a network's weights into NumPy arrays, from which both graphs are built."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.card import Cell
from nextchar_training.network.cells.cell import SignedGate
from nextchar_training.network.network import CharRNN

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one recurrent layer, gates in the order of the cell's `gates`.

    `input` [gates·hidden, in], `recurrent` [gates·hidden, hidden], both biases [gates·hidden].
    """

    input: Array
    recurrent: Array
    input_bias: Array
    recurrent_bias: Array


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    `embedding` [num_inputs, embedding_size], `output` [num_outputs, hidden], `output_bias` [num_outputs].
    """

    cell: Cell
    embedding: Array
    layers: tuple[LayerWeights, ...]
    output: Array
    output_bias: Array

    @property
    def hidden_size(self) -> int:
        """The number of units per layer."""
        return int(self.layers[0].recurrent.shape[1])


def read_weights(model: CharRNN) -> Weights:
    """Copies the model's parameters into float32 arrays."""
    state = {
        name: np.array(value.detach().float().cpu().numpy()) for name, value in model.state_dict().items()
    }
    layers = tuple(
        LayerWeights(
            input=state[f"layers.{layer}.input"],
            recurrent=state[f"layers.{layer}.recurrent"],
            input_bias=state[f"layers.{layer}.input_bias"],
            recurrent_bias=state[f"layers.{layer}.recurrent_bias"],
        )
        for layer in range(model.config.num_layers)
    )
    return Weights(
        cell=model.config.cell,
        embedding=state["embedding.weight"],
        layers=layers,
        output=state["output.weight"],
        output_bias=state["output.bias"],
    )


def reorder_gates(array: Array, order: tuple[int, ...]) -> Array:
    """Returns the rows [gates·hidden, …] with the gates in another order."""
    gates = np.split(array, len(order))
    return np.concatenate([gates[i] for i in order])


def expand_gates(array: Array, kernel_gates: tuple[SignedGate, ...] | None) -> Array:
    """Returns the rows [gates·hidden, …] that the operator reads, from those of the cell's own gates."""
    if kernel_gates is None:
        return array
    own = np.split(array, 1 + max(gate.own for gate in kernel_gates))
    return np.concatenate([own[gate.own] * np.float32(gate.sign) for gate in kernel_gates])


def collapse_gates(array: Array, kernel_gates: tuple[SignedGate, ...] | None) -> Array:
    """Returns the rows of the cell's own gates: the inverse of `expand_gates`."""
    if kernel_gates is None:
        return array
    own: dict[int, Array] = {}
    for gate, rows in zip(kernel_gates, np.split(array, len(kernel_gates)), strict=True):
        own[gate.own] = rows * np.float32(gate.sign)
    return np.concatenate([own[index] for index in sorted(own)])
