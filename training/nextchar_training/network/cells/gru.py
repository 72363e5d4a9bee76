"""Defines the GRU (Cho et al. 2014) in both forms, h' = n + z · (h - n).

As in torch.nn.GRU the reset gate comes after the recurrent product, n = tanh(W_x x + b + r · (W_h h + b)); as
in the paper it comes before, n = tanh(W_x x + b + W_h (r · h)).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nextchar_training.network.cells.cell import OnnxOperator, RecurrentCell, State
from nextchar_training.network.cells.step_layer import StepLayer


def _reset_first(x: Tensor, h: Tensor, weights: Sequence[Tensor], *_: object) -> tuple[Tensor, Tensor]:
    """Maps x [time, batch, in] and h [1, batch, hidden] to all hidden states and the last, like torch.gru."""
    w_input, w_recurrent, input_bias, recurrent_bias = weights
    sizes = [2 * h.shape[2], h.shape[2]]
    to_gates, to_new = torch.split(w_recurrent, sizes)
    states, state = [], h[0]
    for step in functional.linear(x, w_input, input_bias + recurrent_bias):
        x_gates, x_new = torch.split(step, sizes, dim=1)
        reset, update = torch.sigmoid(x_gates + functional.linear(state, to_gates)).chunk(2, dim=1)
        new = torch.tanh(x_new + functional.linear(reset * state, to_new))
        state = new + update * (state - new)
        states.append(state)
    return torch.stack(states), state[None]


class Gru(RecurrentCell):
    """The GRU. Its int8 step graph keeps the state in float32: the interpolation needs it unrounded."""

    title = "GRU"
    flag = "gru"
    states = ("h",)
    gates = ("reset", "update", "candidate")
    kernel: Callable[..., Any] = staticmethod(torch.gru)
    onnx = OnnxOperator("GRU", order=(1, 0, 2), attributes={"linear_before_reset": 1})  # r z n → z r h
    # At the others' rate its gradients explode once it has learnt for long (docs/quality.md).
    learning_rate = 1.5e-3

    def write_step(self, layer: StepLayer) -> str:
        i = layer.index
        x, h = layer.input_product(), layer.recurrent_product()
        x_gates, x_new = layer.split(x, [f"x_gates_{i}", f"x_new_{i}"], [2, 1])
        h_gates, h_new = layer.split(h, [f"h_gates_{i}", f"h_new_{i}"], [2, 1])
        reset, update = _open(layer, x_gates, h_gates)
        recalled = layer.node("Mul", [reset, h_new], f"reset_{i}")
        return _interpolate(layer, update, layer.node("Add", [x_new, recalled], f"recalled_{i}"))

    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        del before
        return {
            "reset gate": torch.sigmoid(from_input[0] + from_state[0]),
            "update gate": torch.sigmoid(from_input[1] + from_state[1]),
        }


class ResetFirstGru(Gru):
    """The GRU of the paper, which is that of ONNX and of Keras without `reset_after`.

    PyTorch has no kernel of it, so training steps through the text in Python.
    """

    title = "GRU with reset first"
    flag = "gru-reset-first"
    kernel = staticmethod(_reset_first)
    onnx = OnnxOperator("GRU", order=(1, 0, 2), attributes={"linear_before_reset": 0})  # r z n → z r h

    def write_step(self, layer: StepLayer) -> str:
        i = layer.index
        x_gates, x_new = layer.split(layer.input_product(), [f"x_gates_{i}", f"x_new_{i}"], [2, 1])
        reset, update = _open(layer, x_gates, layer.recurrent_product(gates=(0, 1)))
        recalled = layer.node("Mul", [reset, f"h_{i}_before"], f"reset_{i}")
        h_new = layer.recurrent_product(gates=(2,), of=recalled)
        return _interpolate(layer, update, layer.node("Add", [x_new, h_new], f"recalled_{i}"))


def _open(layer: StepLayer, x_gates: str, h_gates: str) -> list[str]:
    """Writes the reset and the update gate."""
    i = layer.index
    opened = layer.node("Sigmoid", [layer.node("Add", [x_gates, h_gates], f"gates_{i}")], f"open_{i}")
    return layer.split_equally(opened, 2)


def _interpolate(layer: StepLayer, update: str, recalled: str) -> str:
    """Writes the new state between the old one and the candidate, tanh of `recalled`."""
    i = layer.index
    new = layer.node("Tanh", [recalled], f"new_{i}")
    distance = layer.node("Sub", [f"h_{i}_before", new], f"distance_{i}")
    after = layer.node("Add", [new, layer.node("Mul", [update, distance], f"kept_{i}")], f"h_{i}_after")
    return layer.read(after)
