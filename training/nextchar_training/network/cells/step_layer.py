"""Defines what a cell writes one layer of the step graph with, whatever the precision."""

from typing import Any, Protocol


class StepLayer(Protocol):
    """One layer of the step graph under construction. Tensors go by name, each [batch, …].

    The layer reads its states as `h_0_before`, `c_0_before`, … (0 is `index`) and must write
    `h_0_after`, `c_0_after`, ….
    """

    @property
    def index(self) -> int:
        """The layer's number from 0; names are made unique with it."""
        ...

    @property
    def new_hidden(self) -> str:
        """The name to give to the new hidden state, where `keep_hidden` follows."""
        ...

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Adds a standard operator with one output; returns the output's name."""
        ...

    def gates(self, order: tuple[int, ...]) -> str:
        """Writes W_x x + W_h h + b of all gates in an order, [batch, gates·hidden], as one product."""
        ...

    def input_product(self) -> str:
        """Writes W_x x + b of all gates, [batch, gates·hidden]."""
        ...

    def recurrent_product(self, gates: tuple[int, ...] | None = None, of: str | None = None) -> str:
        """Writes W_h h + b of all gates or some, [batch, gates·hidden]; of the state before, or of `of`."""
        ...

    def split(self, x: str, names: list[str], sizes: list[int]) -> list[str]:
        """Splits x along its last axis into named parts, whose `sizes` are multiples of hidden_size."""
        ...

    def split_equally(self, x: str, num_parts: int) -> list[str]:
        """Splits x along its last axis into `num_parts` parts of hidden_size."""
        ...

    def keep_hidden(self) -> str:
        """Keeps `new_hidden` as the state after, quantised in int8; returns what the next product reads."""
        ...

    def read(self, x: str) -> str:
        """Returns a float32 state as a product reads it: quantised in int8."""
        ...
