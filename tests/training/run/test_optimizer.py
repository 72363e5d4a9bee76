import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from nextchar_training.config import TrainingConfig
from nextchar_training.run.optimizer import clip_gradients, make_optimizer
from nextchar_training.run.run import Run


def _module(*gradient: float) -> nn.Module:
    module = nn.Linear(len(gradient), 1, bias=False)
    module.weight.grad = torch.tensor([gradient])
    return module


def _config(**changes: float) -> TrainingConfig:
    return TrainingConfig(corpus="x", name="x", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("clips", "gradient", "after"),
    [
        ({"clip_norm": 1.0}, (0.6, 0.8), 1.0),
        ({"clip_norm": 9.0}, (3.0, 4.0), 5.0),
        ({"clip_norm": 0.0, "clip_value": 0.5}, (0.5, 0.5), math.sqrt(0.5)),
        ({"clip_norm": 0.5, "clip_value": 3.0}, (0.35355, 0.35355), 0.5),
        ({"clip_norm": 0.0}, (3.0, 4.0), 5.0),
    ],
)
def test_gradients_are_clipped_by_value_then_by_norm(
    clips: dict[str, float], gradient: tuple[float, ...], after: float
) -> None:
    module = _module(3.0, 4.0)
    norms = clip_gradients(module, _config(**clips))
    assert module.weight.grad is not None
    assert module.weight.grad[0].tolist() == pytest.approx(list(gradient), abs=1e-4)
    assert (norms.before, norms.after) == pytest.approx((5.0, after), abs=1e-4)


def test_sgd_makes_the_step_nesterov_wrote_down() -> None:
    module = _module(1.0)
    before = module.weight.item()
    optimizer = make_optimizer(_config(learning_rate=0.1, momentum=0.9, weight_decay=0.0), module)
    assert isinstance(optimizer, torch.optim.AdamW)
    config = TrainingConfig(corpus="x", name="x", optimizer="sgd", learning_rate=0.1, weight_decay=0.0)
    make_optimizer(config, module).step()
    assert module.weight.item() == pytest.approx(before - 0.1 * (1 + 0.9))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_learns_with_either_optimizer(make_run: Callable[..., Run], optimizer: str) -> None:
    rate = {"adamw": 2e-2, "sgd": 0.5}[optimizer]
    run = make_run(optimizer=optimizer, learning_rate=rate, steps=60, dropout=0.0, num_layers=1)
    losses = [run.trainer.step() for _ in range(60)]
    assert losses[-1] < losses[0] - 0.2
