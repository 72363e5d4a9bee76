"""What the gates of a network do over a text, character by character.

Formulas: PyTorch's LSTM and GRU (torch.nn.LSTM, torch.nn.GRU); the coupled LSTM's input gate is 1 - f.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextchar_training.network.network import NUM_GATES, CharRNN, RecurrentLayer, State, zero_state

Values = NDArray[np.float32]


@dataclass(frozen=True)
class LayerTrace:
    """Of one layer, by name: gates in 0 … 1, `cell` (LSTM) and `hidden`; each float32 [time, hidden]."""

    values: dict[str, Values]

    @property
    def state(self) -> Values:
        """What the layer remembers by: the cell of an LSTM, else the hidden state."""
        return self.values.get("cell", self.values["hidden"])


@torch.no_grad()
def trace(model: CharRNN, ids: NDArray[np.integer]) -> list[LayerTrace]:
    """Every layer's gates and states while it reads `ids` [time] from a zero state."""
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
    own = (x @ layer.input.T + layer.input_bias).chunk(NUM_GATES[layer.cell], dim=1)
    carried = (previous @ layer.recurrent.T + layer.recurrent_bias).chunk(NUM_GATES[layer.cell], dim=1)
    found: dict[str, Tensor] = {}
    if layer.cell in ("lstm", "lstm_coupled"):
        parts = [torch.sigmoid(a + b) for a, b in zip(own, carried, strict=True)]
        update = torch.tanh(own[-2] + carried[-2])
        forget = parts[-3]
        given = parts[0] if layer.cell == "lstm" else 1 - forget
        found = {"input gate": given, "forget gate": forget, "output gate": parts[-1]}
        found["cell"] = _cells(forget, given * update, before[1][0, 0])
    elif layer.cell == "gru":
        found = {"reset gate": torch.sigmoid(own[0] + carried[0])}
        found["update gate"] = torch.sigmoid(own[1] + carried[1])
    found["hidden"] = hidden
    return {name: np.array(value.numpy(), dtype=np.float32) for name, value in found.items()}


def _cells(forget: Tensor, added: Tensor, cell: Tensor) -> Tensor:
    cells = []
    for kept, new in zip(forget, added, strict=True):
        cell = kept * cell + new
        cells.append(cell)
    return torch.stack(cells)
