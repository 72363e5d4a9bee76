"""Defines the LSTM (Hochreiter & Schmidhuber 1997) and the coupled LSTM, with input gate 1 - forget gate.

Formulas as in torch.nn.LSTM: c' = f · c + i · g, h' = o · tanh(c').
"""

from collections.abc import Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from nextchar_training.network.cells.cell import OnnxOperator, RecurrentCell, SignedGate, State
from nextchar_training.network.cells.step_layer import StepLayer


class Lstm(RecurrentCell):
    """The LSTM with all four gates; the forget gate begins open."""

    title = "LSTM"
    flag = "lstm"
    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")
    kernel = staticmethod(torch.lstm)
    onnx = OnnxOperator("LSTM", order=(0, 3, 1, 2))  # i f g o → i o f c
    initial_bias = MappingProxyType({"forget": 1.0})
    uint8_states = ("h",)

    def write_step(self, layer: StepLayer) -> str:
        i = layer.index
        *sigmoid, new = layer.split_equally(layer.gates(order=(0, 1, 3, 2)), 4)
        in_gate, forget, out_gate = (layer.node("Sigmoid", [name], f"{name}_open") for name in sigmoid)
        candidate = layer.node("Tanh", [new], f"candidate_{i}")
        kept = layer.node("Mul", [forget, f"c_{i}_before"], f"kept_{i}")
        written = layer.node("Mul", [in_gate, candidate], f"written_{i}")
        cell = layer.node("Add", [kept, written], f"c_{i}_after")
        return _write_hidden(layer, out_gate, cell)

    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        opened = [torch.sigmoid(a + b) for a, b in zip(from_input, from_state, strict=True)]
        candidate = torch.tanh(from_input[2] + from_state[2])
        found = {"input gate": opened[0], "forget gate": opened[1], "output gate": opened[3]}
        return found | {"cell": _cells(opened[1], opened[0] * candidate, before[1][0, 0])}


class CoupledLstm(RecurrentCell):
    """The LSTM that writes what it forgets (Greff et al. 2017, "CIFG"): i = 1 - f.

    1 - sigmoid(x) = sigmoid(-x), so PyTorch's and ONNX's input gate is the forget gate with the other sign.
    """

    title = "coupled LSTM"
    flag = "lstm-coupled"
    states = ("h", "c")
    gates = ("forget", "candidate", "output")
    kernel = staticmethod(torch.lstm)
    kernel_gates = (SignedGate(0, -1), SignedGate(0), SignedGate(1), SignedGate(2))
    onnx = OnnxOperator("LSTM", order=(0, 3, 1, 2), attributes={"input_forget": 1})
    initial_bias = MappingProxyType({"forget": 1.0})
    uint8_states = ("h",)

    def write_step(self, layer: StepLayer) -> str:
        i = layer.index
        *sigmoid, new = layer.split_equally(layer.gates(order=(0, 2, 1)), 3)
        forget, out_gate = (layer.node("Sigmoid", [name], f"{name}_open") for name in sigmoid)
        candidate = layer.node("Tanh", [new], f"candidate_{i}")
        distance = layer.node("Sub", [f"c_{i}_before", candidate], f"distance_{i}")  # c' = g + f · (c - g)
        kept = layer.node("Mul", [forget, distance], f"kept_{i}")
        cell = layer.node("Add", [candidate, kept], f"c_{i}_after")
        return _write_hidden(layer, out_gate, cell)

    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        opened = [torch.sigmoid(a + b) for a, b in zip(from_input, from_state, strict=True)]
        candidate, given = torch.tanh(from_input[1] + from_state[1]), 1 - opened[0]
        found = {"input gate": given, "forget gate": opened[0], "output gate": opened[2]}
        return found | {"cell": _cells(opened[0], given * candidate, before[1][0, 0])}


def _write_hidden(layer: StepLayer, out_gate: str, cell: str) -> str:
    layer.node("Mul", [out_gate, layer.node("Tanh", [cell], f"cell_tanh_{layer.index}")], layer.new_hidden)
    return layer.keep_hidden()


def _cells(forget: Tensor, added: Tensor, cell: Tensor) -> Tensor:
    """Returns the cell after each character, [time, hidden]: c' = forget · c + added."""
    cells = []
    for kept, new in zip(forget, added, strict=True):
        cell = kept * cell + new
        cells.append(cell)
    return torch.stack(cells)
