"""The forward pass of training: the network with locked dropout and weight-drop.

One mask per window, shared by all its time steps (Gal & Ghahramani 2016), and DropConnect on the
recurrent matrix (Merity et al. 2017), all scaled by the one knob `dropout`. Nothing of it is in the
network itself, so what is exported is plain recurrent layers.
"""

from typing import Any

import torch
from torch import Tensor

from nextchar_training.model import CharRNN, State

INPUT_SHARE = 0.25
RECURRENT_SHARE = 0.5

_LAYER = {"lstm": torch.lstm, "gru": torch.gru, "rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu}


def forward_with_dropout(
    model: CharRNN, ids: Tensor, state: State, generator: torch.Generator, *, autocast: bool
) -> tuple[Tensor, State]:
    """Logits float32 [time, batch, num_outputs] and the state after the window.

    `autocast` runs the recurrent layers in bfloat16; the output layer stays in float32.
    """
    rate = model.config.dropout
    hidden = _locked(model.embedding(ids), rate * INPUT_SHARE, generator)
    after = []
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=autocast):
        for layer in range(model.config.num_layers):
            before = tuple(part[layer : layer + 1] for part in state)
            hidden, layer_after = _run_layer(model, layer, hidden, before, generator)
            hidden = _locked(hidden, rate, generator)
            after.append(layer_after)
    logits = model.output(hidden.float())
    return logits, tuple(torch.cat(parts).float() for parts in zip(*after, strict=True))


def _run_layer(
    model: CharRNN, layer: int, inputs: Tensor, state: State, generator: torch.Generator
) -> tuple[Tensor, State]:
    names = [f"{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    weights = [getattr(model.rnn, name) for name in names]
    # What is kept is scaled up by 1 / (1 - rate): on a ReLU network's near-identity matrix that grows
    # the state by as much at every step, and it bursts within a window.
    if model.config.cell != "rnn_relu":
        weights[1] = _dropped(weights[1], model.config.dropout * RECURRENT_SHARE, generator)
    run: Any = _LAYER[model.config.cell]
    hx = state if len(state) > 1 else state[0]
    hidden, *after = run(inputs, hx, weights, True, 1, 0.0, True, False, False)
    return hidden, tuple(after)


def _locked(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """One dropout mask for all time steps of x [time, batch, features]."""
    return x if rate == 0 else x * _mask(x[:1], rate, generator)


def _dropped(weight: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    return weight if rate == 0 else weight * _mask(weight, rate, generator)


def _mask(like: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    kept = torch.empty(like.shape, dtype=like.dtype, device=like.device)
    return kept.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
