"""Defines what a cell is: all that training, export and analysis need to know of one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn

from nextchar_training.config import OptimisationConfig, OptimizerKind
from nextchar_training.network.cells.step_layer import StepLayer

# Per layer and stream: (h,) or, for an LSTM, (h, c); each [num_layers, batch, hidden_size].
State = tuple[Tensor, ...]


class SignedGate(NamedTuple):
    """A gate that PyTorch's kernel reads: the cell's gate number `own`, its weights multiplied by `sign`."""

    own: int
    sign: int = 1


@dataclass(frozen=True)
class OnnxOperator:
    """The standard ONNX operator of a cell; `order` lists the gates of PyTorch's kernel in ONNX's order."""

    name: str
    order: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


class RecurrentCell(ABC):
    """A kind of recurrent cell, one class per row of the table; holds no weights.

    A cell is added by a file with such a class and a row in `table.py`.
    """

    title: str
    """The name on a page."""
    flag: str
    """The value of `nextchar train --cell`."""
    states: tuple[str, ...]
    """The states that are carried from character to character; `h` is also the output."""
    gates: tuple[str, ...]
    """The gates with weights of their own, in PyTorch's order."""
    kernel: Callable[..., Any]
    """PyTorch's function over a whole sequence."""
    kernel_gates: tuple[SignedGate, ...] | None = None
    """The gates that the kernel and the ONNX operator read, where they are not the cell's own."""
    onnx: OnnxOperator
    """The operator of `model.onnx`."""

    initial_bias: Mapping[str, float] = MappingProxyType({})
    """The initial input bias by gate; 0 where there is none."""
    learning_rate = OptimisationConfig.learning_rate
    """The usual peak of the learning rate."""
    sgd_learning_rate = 2.0
    """The same with SGD and its usual momentum; gradients are clipped to a norm of 1."""
    takes_weight_dropout = True
    """Whether recurrent weights may be dropped in training."""
    has_int8 = True
    """Whether there is an int8 step graph: the hidden state must be bounded by -1 and 1."""
    uint8_states: tuple[str, ...] = ()
    """The states that the int8 step graph keeps as uint8; it keeps the others as float32."""

    def usual_rate(self, optimizer: OptimizerKind) -> float:
        """Returns the usual peak of the learning rate with an optimizer."""
        return self.sgd_learning_rate if optimizer == "sgd" else self.learning_rate

    @property
    def num_gates(self) -> int:
        """The number of gates with weights of their own."""
        return len(self.gates)

    def initialize_recurrent(self, gate: Tensor) -> None:
        """Fills the recurrent weights of one gate, [hidden, hidden], before training."""
        nn.init.orthogonal_(gate)

    @abstractmethod
    def write_step(self, layer: StepLayer) -> str:
        """Writes one layer of the step graph; returns its new hidden state as the next product reads it."""

    @abstractmethod
    def trace(
        self, from_input: Sequence[Tensor], from_state: Sequence[Tensor], before: State
    ) -> dict[str, Tensor]:
        """Returns, by name, what the gates do over a text (0 to 1), and the LSTM's `cell`.

        Arguments are the gates' summands from the input and from the hidden state before, [time, hidden]
        per gate, biases included, and the layer's state before the text, [1, 1, hidden] each.
        """
