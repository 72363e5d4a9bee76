"""Networks as other people write them: the layers of three well-known kinds of public programs."""

import torch
from torch import Tensor, nn

CHARS = "\n abcdefghijklmnopqrstuvwxyz"
TEXT = "the day is long and the night is cold\n"


class OfModules(nn.Module):
    """Embedding, torch.nn's recurrent module and a linear layer, as programs after char-rnn have."""

    def __init__(
        self, kind: str, num_symbols: int = len(CHARS), *, size: int = 24, **options: object
    ) -> None:
        super().__init__()
        self.encoder = nn.Embedding(num_symbols, size)
        self.rnn = getattr(nn, kind)(size, size, **{"num_layers": 2, **options})
        self.decoder = nn.Linear(size, num_symbols)

    def forward(self, ids: Tensor) -> Tensor:
        hidden, _ = self.rnn(self.encoder(ids)[:, None])
        logits: Tensor = self.decoder(hidden[:, 0])
        return logits


_LAYERS = {
    "RNN": ["xh_to_h"],
    "GRU": ["xh_to_z", "xh_to_r", "xh_to_hbar"],
    "LSTM": ["xh_to_i", "xh_to_f", "xh_to_g", "xh_to_o"],
}


class GateByGate(nn.Module):
    """A cell with one linear layer per gate over [x, h], and a learnt first state, as makemore has."""

    def __init__(self, kind: str, num_symbols: int, *, size: int = 64, hidden: int = 64) -> None:
        super().__init__()
        self.kind, self.hidden = kind, hidden
        if kind != "LSTM":
            self.start = nn.Parameter(torch.randn(1, hidden) / 3)
        self.wte = nn.Embedding(num_symbols, size)
        self.cell = nn.ModuleDict({name: nn.Linear(size + hidden, hidden) for name in _LAYERS[kind]})
        self.lm_head = nn.Linear(hidden, num_symbols)

    def forward(self, ids: Tensor) -> tuple[Tensor, None]:
        zero = torch.zeros(len(ids), self.hidden)
        states = (zero, zero) if self.kind == "LSTM" else (self.start.expand(len(ids), -1),)
        hidden = []
        for x in self.wte(ids).unbind(1):
            states = self._step(x, *states)
            hidden.append(states[0])
        return self.lm_head(torch.stack(hidden, dim=1)), None

    def _step(self, x: Tensor, h: Tensor, *cell: Tensor) -> tuple[Tensor, ...]:
        gates = {name[6:]: layer(torch.cat([x, h], dim=1)) for name, layer in self.cell.items()}
        if self.kind == "RNN":
            return (torch.tanh(gates["h"]),)
        if self.kind == "GRU":
            update, reset = torch.sigmoid(gates["z"]), torch.sigmoid(gates["r"])
            new = torch.tanh(self.cell["xh_to_hbar"](torch.cat([x, reset * h], dim=1)))
            return ((1 - update) * h + update * new,)
        write, keep, out = (torch.sigmoid(gates[name]) for name in "ifo")
        after = keep * cell[0] + write * torch.tanh(gates["g"])
        return out * torch.tanh(after), after
