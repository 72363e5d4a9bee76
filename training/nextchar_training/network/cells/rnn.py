"""Defines the simple recurrent network (Elman 1990), h' = f(W_x x + W_h h + b), with f = tanh or ReLU."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nextchar_training.network.cells.cell import OnnxOperator, RecurrentCell, State
from nextchar_training.network.cells.step_layer import StepLayer


class _Rnn(RecurrentCell):
    """A cell without gates: one activation of one product."""

    states = ("h",)
    gates = ("hidden",)
    activation: str

    def write_step(self, layer: StepLayer) -> str:
        layer.node(self.activation, [layer.gates(order=(0,))], layer.new_hidden)
        return layer.keep_hidden()

    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        del from_input, from_state, before
        return {}


class TanhRnn(_Rnn):
    """The cell with tanh: its state is bounded."""

    title = "tanh RNN"
    flag = "rnn"
    activation = "Tanh"
    # Half the gated cells': a 2 × 512 network that trains for long ends best at 1e-3 (models/README.md), a
    # small one that trains for minutes at 4e-3.
    learning_rate = 2e-3
    kernel = staticmethod(torch.rnn_tanh)
    onnx = OnnxOperator("RNN", order=(0,), attributes={"activations": [activation]})
    uint8_states = ("h",)


class ReluRnn(_Rnn):
    """The cell with ReLU (Le et al. 2015): its state is unbounded, so it has no int8 step graph."""

    title = "ReLU RNN"
    flag = "relu"
    activation = "Relu"
    # Nothing bounds its state, so steps must be smaller.
    learning_rate = 1e-3
    sgd_learning_rate = 0.5
    kernel = staticmethod(torch.rnn_relu)
    onnx = OnnxOperator("RNN", order=(0,), attributes={"activations": [activation]})
    has_int8 = False
    # Weights that are kept are scaled up by 1 / (1 - rate): on a near-identity matrix that grows the state
    # by as much at every step, and it overflows within a window.
    takes_weight_dropout = False

    def initialize_recurrent(self, gate: Tensor) -> None:
        """Fills in nine tenths of the identity: with the whole identity, a carried state overflows."""
        nn.init.eye_(gate).mul_(0.9)
