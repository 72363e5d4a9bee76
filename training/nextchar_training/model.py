"""The network: embedding → recurrent layers → output, in PyTorch's stock modules."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from nextchar.modelfile import Cell

# Per layer and stream: (h,) or, for LSTM, (h, c); each [num_layers, batch, hidden_size].
State = tuple[Tensor, ...]


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a network. `dropout` is used in training only (see `nextchar_training.dropout`)."""

    cell: Cell
    num_inputs: int
    num_outputs: int
    embedding_size: int = 128
    hidden_size: int = 512
    num_layers: int = 2
    dropout: float = 0.2

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
        self.embedding = nn.Embedding(config.num_inputs, config.embedding_size)
        self.rnn = _make_rnn(config)
        self.output = nn.Linear(config.hidden_size, config.num_outputs)
        self._initialize()

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        hx = state if state is None or len(state) > 1 else state[0]
        hidden, hx = self.rnn(self.embedding(ids), hx)
        return self.output(hidden), hx if isinstance(hx, tuple) else (hx,)

    @torch.no_grad()
    def _initialize(self) -> None:
        """Orthogonal recurrent weights, forget-gate bias 1; for ReLU nine tenths of the identity.

        The whole identity (Le et al. 2015) never forgets: a state carried from window to window bursts.
        """
        hidden = self.config.hidden_size
        for name, parameter in self.rnn.named_parameters():
            if name.startswith("weight_hh"):
                for gate in torch.split(parameter, hidden):
                    if self.config.cell == "rnn_relu":
                        nn.init.eye_(gate).mul_(0.9)
                    else:
                        nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
                if self.config.cell == "lstm" and name.startswith("bias_ih"):
                    parameter[hidden : 2 * hidden] = 1.0  # torch's gate order: input, forget, cell, output


def _make_rnn(config: ModelConfig) -> nn.RNNBase:
    sizes = (config.embedding_size, config.hidden_size, config.num_layers)
    match config.cell:
        case "lstm":
            return nn.LSTM(*sizes)
        case "gru":
            return nn.GRU(*sizes)
        case "rnn_tanh":
            return nn.RNN(*sizes, nonlinearity="tanh")
        case "rnn_relu":
            return nn.RNN(*sizes, nonlinearity="relu")
