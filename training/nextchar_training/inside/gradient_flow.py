"""Measures how much of a gradient is left k characters back: ‖∂h_t / ∂s_{t-k}‖ against k.

s is the state that a network carries (h, and c of an LSTM), h the output of its last layer. Vanishing and
exploding gradients (Bengio et al. 1994; Pascanu et al. 2013) are this curve falling or rising
exponentially. The Frobenius norm of the Jacobian is estimated by products with random vectors:
E ‖vᵀJ‖² = ‖J‖² for v of independent standard normals (Hutchinson 1990). Norms are divided by that of
∂h_t / ∂h_t, which is √hidden_size, so that every curve begins near 1.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextchar_training.network.cells.cell import State
from nextchar_training.network.network import CharRNN, zero_state

MAX_DISTANCE = 100
_NUM_TEXTS, _NUM_VECTORS, _WARM_CHARS = 16, 4, 100


@dataclass(frozen=True)
class GradientFlow:
    """`norms` float64 [max_distance + 1]: relative norm by distance, a mean over texts."""

    norms: NDArray[np.float64]

    @property
    def decay(self) -> float:
        """The factor per character of the best-fitting exponential; below 1 the gradient vanishes."""
        distances = np.arange(1, len(self.norms))
        logs = np.log(np.maximum(self.norms[1:], np.finfo(np.float64).tiny))
        return math.exp(float(np.polyfit(distances, logs, 1)[0]))


def gradient_flow(
    model: CharRNN, ids: NDArray[np.integer], *, max_distance: int = MAX_DISTANCE, seed: int = 0
) -> GradientFlow:
    """Measures the gradient flow at 16 places spread over a text, ids [n], each after 100 characters.

    Raises:
        ValueError: the text is shorter than 100 + max_distance characters.
    """
    size = _WARM_CHARS + max_distance
    if len(ids) < size:
        raise ValueError(
            f"the text must have at least {size} characters for distance {max_distance} (it has {len(ids)})"
        )
    starts = np.linspace(0, len(ids) - size, _NUM_TEXTS).astype(int)
    texts = torch.from_numpy(
        np.stack([ids[start : start + size] for start in starts], axis=1).astype(np.int64)
    )
    with torch.no_grad():
        _, state = model(texts[:_WARM_CHARS], zero_state(model.config, _NUM_TEXTS))
    hidden, states = _unrolled(model, texts[_WARM_CHARS:], state)
    generator = torch.Generator().manual_seed(seed)
    squares = [_squares(hidden, states, generator) for _ in range(_NUM_VECTORS)]
    norms = np.sqrt(np.mean(squares, axis=0) / model.config.hidden_size)
    return GradientFlow(norms.mean(axis=1)[::-1].copy())


def _unrolled(model: CharRNN, ids: Tensor, state: State) -> tuple[Tensor, list[State]]:
    """Returns the last layer's h after the last character, and the state before and after each one."""
    state = tuple(part.detach().requires_grad_() for part in state)
    states = [state]
    for step in ids:
        _, state = model(step[None], state)
        states.append(state)
    return state[0][-1], states


def _squares(hidden: Tensor, states: list[State], generator: torch.Generator) -> NDArray[np.float64]:
    """Returns the squared norms of one random vector's products, [distance from the first state, text]."""
    vector = torch.randn(hidden.shape, generator=generator)
    parts = [part for state in states for part in state]
    gradients = torch.autograd.grad(hidden, parts, vector, retain_graph=True, materialize_grads=True)
    per_part = torch.stack([part.double().square().sum(dim=(0, 2)) for part in gradients])
    found: NDArray[np.float64] = per_part.view(len(states), len(states[0]), -1).sum(1).numpy()
    return found
