"""Traces the gates and states of a network over a text, character by character."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextchar_training.network.cells.cell import State
from nextchar_training.network.network import CharRNN, RecurrentLayer, zero_state

Values = NDArray[np.float32]


@dataclass(frozen=True)
class LayerTrace:
    """The values of one layer by name: gates in 0 … 1, `cell` (LSTM) and `hidden`; float32 [time, hidden]."""

    values: dict[str, Values]

    @property
    def state(self) -> Values:
        """The memory of the layer: the cell of an LSTM, else the hidden state."""
        return self.values.get("cell", self.values["hidden"])


@torch.no_grad()
def trace(model: CharRNN, ids: NDArray[np.integer]) -> list[LayerTrace]:
    """Traces every layer's gates and states while it reads `ids` [time] from a zero state."""
    x = model.embedding(torch.from_numpy(np.asarray(ids, dtype=np.int64)[:, None]))
    state = zero_state(model.config, 1)
    traces = []
    for layer in model.layers:
        assert isinstance(layer, RecurrentLayer)
        before = tuple(part[:1] for part in state)
        hidden, _ = layer(x, before)
        traces.append(LayerTrace(_values(layer, x[:, 0], hidden[:, 0], before)))
        x = hidden
    return traces


def _values(layer: RecurrentLayer, x: Tensor, hidden: Tensor, before: State) -> dict[str, Values]:
    previous = torch.cat([before[0][0], hidden[:-1]])
    from_input = (x @ layer.input.T + layer.input_bias).chunk(layer.cell.num_gates, dim=1)
    from_state = (previous @ layer.recurrent.T + layer.recurrent_bias).chunk(layer.cell.num_gates, dim=1)
    found = layer.cell.trace(from_input, from_state, before) | {"hidden": hidden}
    return {name: np.array(value.numpy(), dtype=np.float32) for name, value in found.items()}
