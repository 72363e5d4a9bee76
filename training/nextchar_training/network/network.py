"""The network: embedding, recurrent layers, output layer. Nothing in it but what is exported."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nextchar.model.card import Cell

# Per layer and stream: (h,) or, for LSTM, (h, c); each [num_layers, batch, hidden_size].
State = tuple[Tensor, ...]

NUM_STATES: dict[Cell, int] = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 1, "lstm": 2, "lstm_coupled": 2}
_KERNEL: dict[Cell, Any] = {
    "lstm": torch.lstm,
    "lstm_coupled": torch.lstm,
    "gru": torch.gru,
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
}
# Gates with weights of their own: LSTM i f g o, coupled LSTM f g o, GRU r z n (PyTorch's order).
NUM_GATES: dict[Cell, int] = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "lstm_coupled": 3, "gru": 3}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a network. An `embedding_size` of 0 reads characters one-hot."""

    cell: Cell
    num_inputs: int
    num_outputs: int
    embedding_size: int = 128
    hidden_size: int = 512
    num_layers: int = 2

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


class CharRNN(nn.Module):
    """A character-level recurrent language model.

    `forward(ids, state)` takes int64 ids [time, batch] and a state (None is zeros), and returns
    float logits [time, batch, num_outputs] and the state after the last character.
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
        self.cell = cell
        rows = NUM_GATES[cell] * hidden_size
        self.input = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent = nn.Parameter(torch.empty(rows, hidden_size))
        self.input_bias = nn.Parameter(torch.zeros(rows))
        self.recurrent_bias = nn.Parameter(torch.zeros(rows))
        self._initialize()

    def forward(self, x: Tensor, state: State, recurrent: Tensor | None = None) -> tuple[Tensor, State]:
        """x [time, batch, in] to hidden [time, batch, hidden] and the state after, [1, batch, hidden] each.

        `recurrent` stands in for the recurrent weights: the same with some dropped, in training.
        """
        parts = (self.input, self.recurrent if recurrent is None else recurrent)
        weights = [self._all_gates(part) for part in (*parts, self.input_bias, self.recurrent_bias)]
        hx = state if len(state) > 1 else state[0]
        hidden, *after = _KERNEL[self.cell](x, hx, weights, True, 1, 0.0, self.training, False, False)
        return hidden, tuple(after)

    def _all_gates(self, weight: Tensor) -> Tensor:
        """The gates the kernel wants. A coupled LSTM opens its input gate by what its forget gate shuts:
        i = 1 - f, and 1 - sigmoid(x) = sigmoid(-x) (Greff et al. 2017, "CIFG")."""
        if self.cell != "lstm_coupled":
            return weight
        forget = weight[: len(weight) // 3]
        return torch.cat([-forget, weight])

    @torch.no_grad()
    def _initialize(self) -> None:
        """Orthogonal recurrent weights, forget-gate bias 1; for ReLU nine tenths of the identity.

        The whole identity (Le et al. 2015) never forgets: a state carried from window to window bursts.
        """
        hidden = self.recurrent.shape[1]
        for gate in torch.split(self.recurrent, hidden):
            if self.cell == "rnn_relu":
                nn.init.eye_(gate).mul_(0.9)
            else:
                nn.init.orthogonal_(gate)
        nn.init.xavier_uniform_(self.input)
        if self.cell == "lstm":
            self.input_bias[hidden : 2 * hidden] = 1.0
        if self.cell == "lstm_coupled":
            self.input_bias[:hidden] = 1.0


def zero_state(config: ModelConfig, batch_size: int, device: torch.device | None = None) -> State:
    """The state before anything is read: float32 [num_layers, batch, hidden_size], twice for LSTM."""
    shape = (config.num_layers, batch_size, config.hidden_size)
    return tuple(torch.zeros(shape, device=device) for _ in range(NUM_STATES[config.cell]))


def num_parameters(model: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
