"""Makes optimisers and clips gradients."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

from nextchar_training.config import OptimisationConfig


@dataclass(frozen=True, slots=True)
class Norms:
    """The global norm of the gradient, before and after it was clipped."""

    before: float
    after: float


def make_optimizer(config: OptimisationConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Makes AdamW (Loshchilov & Hutter 2019), or SGD with Nesterov's momentum, over what is trainable."""
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "adamw":
        return torch.optim.AdamW(learnt, lr=rate, weight_decay=decay, fused=True)
    nesterov = config.momentum > 0
    return torch.optim.SGD(
        learnt, lr=rate, momentum=config.momentum, weight_decay=decay, nesterov=nesterov, fused=True
    )


def clip_gradients(model: nn.Module, config: OptimisationConfig) -> Norms:
    """Clips every element to ±`clip_value`, then the global norm to `clip_norm` (Pascanu et al. 2013)."""
    learnt = [parameter for parameter in model.parameters() if parameter.grad is not None]
    before = get_total_norm([p.grad for p in learnt if p.grad is not None]).item()
    if config.clip_value:
        clip_grad_value_(learnt, config.clip_value)
    after = before
    if config.clip_value or config.clip_norm:
        limit = config.clip_norm or float("inf")
        after = min(clip_grad_norm_(learnt, limit).item(), limit)
    return Norms(before, after)
