"""Defines the network: embedding, recurrent layers and output layer, and nothing that is not exported."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from nextchar.model.card import Cell
from nextchar_training.network.cells.cell import State
from nextchar_training.network.cells.table import CELLS


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a network. An `embedding_size` of 0 reads characters one-hot."""

    cell: Cell
    num_inputs: int
    num_outputs: int
    embedding_size: int = 128
    hidden_size: int = 512
    num_layers: int = 2

    def to_dict(self) -> dict[str, object]:
        """Returns the sizes as plain values."""
        return asdict(self)


class CharRNN(nn.Module):
    """A character-level recurrent language model.

    `forward(ids, state)` maps int64 ids [time, batch] and a state (None is zeros) to float logits
    [time, batch, num_outputs] and the state after the last character.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        if config.embedding_size == 0:
            self.embedding = nn.Embedding.from_pretrained(torch.eye(config.num_inputs))  # type: ignore[no-untyped-call]
        else:
            self.embedding = nn.Embedding(config.num_inputs, config.embedding_size)
        sizes = [self.embedding.embedding_dim] + [config.hidden_size] * config.num_layers
        self.layers = nn.ModuleList(
            RecurrentLayer(config.cell, size, config.hidden_size) for size in sizes[:-1]
        )
        self.output = nn.Linear(config.hidden_size, config.num_outputs)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hidden = self.embedding(ids)
        state = zero_state(self.config, ids.shape[1], ids.device) if state is None else state
        after = []
        for index, layer in enumerate(self.layers):
            hidden, layer_after = layer(hidden, tuple(part[index : index + 1] for part in state))
            after.append(layer_after)
        return self.output(hidden), tuple(torch.cat(parts) for parts in zip(*after, strict=True))


class RecurrentLayer(nn.Module):
    """One recurrent layer: `input` [gates·hidden, in], `recurrent` [gates·hidden, hidden], two biases."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = CELLS[cell]
        rows = self.cell.num_gates * hidden_size
        self.input = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent = nn.Parameter(torch.empty(rows, hidden_size))
        self.input_bias = nn.Parameter(torch.zeros(rows))
        self.recurrent_bias = nn.Parameter(torch.zeros(rows))
        self._initialize()

    def forward(self, x: Tensor, state: State, recurrent: Tensor | None = None) -> tuple[Tensor, State]:
        """Maps x [time, batch, in] to hidden [time, batch, hidden] and the states after, [1, batch, hidden].

        `recurrent` replaces the recurrent weights: the same with some dropped, in training.
        """
        parts = (self.input, self.recurrent if recurrent is None else recurrent)
        weights = [self._kernel_weight(part) for part in (*parts, self.input_bias, self.recurrent_bias)]
        hx = state if len(state) > 1 else state[0]
        hidden, *after = self.cell.kernel(x, hx, weights, True, 1, 0.0, self.training, False, False)
        return hidden, tuple(after)

    def _kernel_weight(self, weight: Tensor) -> Tensor:
        """Returns the gates that PyTorch's kernel reads, from the cell's own."""
        if self.cell.kernel_gates is None:
            return weight
        own = weight.chunk(self.cell.num_gates)
        return torch.cat([own[k] if sign == 1 else sign * own[k] for k, sign in self.cell.kernel_gates])

    @torch.no_grad()
    def _initialize(self) -> None:
        hidden = self.recurrent.shape[1]
        for gate in torch.split(self.recurrent, hidden):
            self.cell.initialize_recurrent(gate)
        nn.init.xavier_uniform_(self.input)
        for name, bias in zip(self.cell.gates, torch.split(self.input_bias, hidden), strict=True):
            bias.fill_(self.cell.initial_bias.get(name, 0.0))


def zero_state(config: ModelConfig, batch_size: int, device: torch.device | None = None) -> State:
    """Returns the state before the first character: float32 [num_layers, batch, hidden_size] per state."""
    shape = (config.num_layers, batch_size, config.hidden_size)
    return tuple(torch.zeros(shape, device=device) for _ in CELLS[config.cell].states)


def num_parameters(model: nn.Module) -> int:
    """Returns the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
