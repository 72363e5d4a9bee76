"""Runs the network in training, with input noise, locked dropout and weight-drop.

One mask per window, shared by all its time steps (Gal & Ghahramani 2016), and DropConnect on the recurrent
matrix (Merity et al. 2017). The network itself has no dropout, so the export has plain recurrent layers.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nextchar_training.config import RegularisationConfig
from nextchar_training.network.cells.cell import State
from nextchar_training.network.network import CharRNN, RecurrentLayer

_LOWEST, _STEPS = -(2**63), 2**16
INPUT_SHARE = 0.25
WEIGHT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class DropoutRates:
    """The shares that are dropped: of embeddings, between layers, after the last layer and of recurrent
    weights; and the share of characters that are replaced (`noise`)."""

    input: float = 0.0
    layer: float = 0.0
    output: float = 0.0
    weight: float = 0.0
    noise: float = 0.0


def dropout_rates(config: RegularisationConfig) -> DropoutRates:
    """Returns each rate as given, or as its share of `dropout`."""
    rate = config.dropout
    return DropoutRates(
        input=rate * INPUT_SHARE if config.input_dropout is None else config.input_dropout,
        layer=rate if config.layer_dropout is None else config.layer_dropout,
        output=rate if config.output_dropout is None else config.output_dropout,
        weight=rate * WEIGHT_SHARE if config.weight_dropout is None else config.weight_dropout,
        noise=config.input_noise,
    )


class DropoutForward(nn.Module):
    """Maps ids and a state to logits float32 [time, batch, num_outputs] and the state after the window.

    All masks are drawn from `generator` for `num_columns` streams, of which `columns` are here, so that
    several processes that share a batch drop what one process would.
    `autocast` runs the recurrent layers in bfloat16; the output layer stays in float32.
    """

    def __init__(
        self, model: CharRNN, rates: DropoutRates, generator: torch.Generator, *, autocast: bool
    ) -> None:
        super().__init__()
        self.model, self._rates, self._generator, self._autocast = model, rates, generator, autocast

    def forward(self, ids: Tensor, state: State, columns: slice, num_columns: int) -> tuple[Tensor, State]:
        rates, last = self._rates, len(self.model.layers) - 1
        masks = _Masks(self._generator, columns, num_columns)
        hidden = self.model.embedding(masks.replaced(ids, rates.noise, self.model.config.num_outputs))
        hidden = masks.locked(hidden, rates.input)
        after = []
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self._autocast):
            for index, layer in enumerate(self.model.layers):
                before = tuple(part[index : index + 1] for part in state)
                assert isinstance(layer, RecurrentLayer)
                rate = rates.weight if layer.cell.takes_weight_dropout else 0.0
                recurrent = masks.dropped(layer.recurrent, rate)
                hidden, layer_after = layer(hidden, before, recurrent)
                hidden = masks.locked(hidden, rates.output if index == last else rates.layer)
                after.append(layer_after)
        logits = self.model.output(hidden.float())
        return logits, tuple(torch.cat(parts).float() for parts in zip(*after, strict=True))


class _Masks:
    """Draws the masks of one window."""

    def __init__(self, generator: torch.Generator, columns: slice, num_columns: int) -> None:
        self._generator, self._columns, self._num_columns = generator, columns, num_columns

    def locked(self, x: Tensor, rate: float) -> Tensor:
        """Applies one dropout mask to all time steps of x [time, batch, features]."""
        if rate == 0:
            return x
        mask = self._mask((1, self._num_columns, x.shape[2]), rate, x)
        return x * mask[:, self._columns]

    def dropped(self, weight: Tensor, rate: float) -> Tensor:
        """Returns weights of which a share is dropped."""
        return weight if rate == 0 else weight * self._mask(tuple(weight.shape), rate, weight)

    def replaced(self, ids: Tensor, rate: float, num_symbols: int) -> Tensor:
        """Returns ids int64 [time, batch] of which a share is replaced by random symbols."""
        if rate == 0:
            return ids
        shape, device = (len(ids), self._num_columns), ids.device
        chosen = torch.rand(shape, generator=self._generator, device=device) < rate
        others = torch.randint(num_symbols, shape, generator=self._generator, device=device)
        return torch.where(chosen[:, self._columns], others[:, self._columns], ids)

    def _mask(self, shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
        """Draws a mask at a rate in steps of 2^-16: four elements per random number, which is faster."""
        num = math.prod(shape)
        bits = torch.empty(-(-num // 4), dtype=torch.int64, device=like.device)
        bits.random_(_LOWEST, None, generator=self._generator)
        kept = bits.view(torch.int16)[:num].view(shape) >= round(rate * _STEPS) - _STEPS // 2
        return kept.to(like.dtype).div_(1 - rate)
