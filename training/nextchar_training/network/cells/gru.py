"""Defines the GRU (Cho et al. 2014), with the reset gate after the recurrent product, as in torch.nn.GRU.

h' = n + z · (h - n), n = tanh(W_x x + b + r · (W_h h + b)).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nextchar_training.network.cells.cell import OnnxOperator, RecurrentCell, State
from nextchar_training.network.cells.step_layer import StepLayer


class Gru(RecurrentCell):
    """The GRU. Its int8 step graph keeps the state in float32: the interpolation needs it unrounded."""

    title = "GRU"
    flag = "gru"
    states = ("h",)
    gates = ("reset", "update", "candidate")
    kernel = staticmethod(torch.gru)
    onnx = OnnxOperator("GRU", order=(1, 0, 2), attributes={"linear_before_reset": 1})  # r z n → z r h
    # At the others' rate its gradients explode once it has learnt for long (docs/quality.md).
    learning_rate = 1.5e-3

    def write_step(self, layer: StepLayer) -> str:
        i = layer.index
        x, h = layer.input_product(), layer.recurrent_product()
        x_gates, x_new = layer.split(x, [f"x_gates_{i}", f"x_new_{i}"], [2, 1])
        h_gates, h_new = layer.split(h, [f"h_gates_{i}", f"h_new_{i}"], [2, 1])
        opened = layer.node("Sigmoid", [layer.node("Add", [x_gates, h_gates], f"gates_{i}")], f"open_{i}")
        reset, update = layer.split_equally(opened, 2)
        recalled = layer.node(
            "Add", [x_new, layer.node("Mul", [reset, h_new], f"reset_{i}")], f"recalled_{i}"
        )
        new = layer.node("Tanh", [recalled], f"new_{i}")
        distance = layer.node("Sub", [f"h_{i}_before", new], f"distance_{i}")
        after = layer.node("Add", [new, layer.node("Mul", [update, distance], f"kept_{i}")], f"h_{i}_after")
        return layer.read(after)

    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        del before
        return {
            "reset gate": torch.sigmoid(from_input[0] + from_state[0]),
            "update gate": torch.sigmoid(from_input[1] + from_state[1]),
        }
