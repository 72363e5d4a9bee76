"""The training step and everything it changes, so that a run can stop anywhere and go on bit-equal."""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nextchar.errors import NextcharError
from nextchar_training.batch import IGNORED, Batches
from nextchar_training.dropout import forward_with_dropout
from nextchar_training.model import CharRNN, ModelConfig, State
from nextchar_training.schedule import Length, learning_rate
from nextchar_training.training_config import TrainingConfig


class TrainingDiverged(NextcharError):
    """The loss or a gradient is no longer a number."""

    code = "training_diverged"


class Trainer:
    """A network in training: weights, their average, optimiser, carried state, data cursor, randomness."""

    def __init__(
        self, config: TrainingConfig, model_config: ModelConfig, batches: Batches, length: Length
    ) -> None:
        self.config, self.batches, self.length = config, batches, length
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = CharRNN(model_config)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.state = zero_state(model_config, config.batch_size)
        self.step_count = 0
        self.num_chars = 0
        self.elapsed_s = 0.0

    @property
    def fraction(self) -> float:
        """The share of the run that is done."""
        return self.length.fraction(step=self.step_count, elapsed_s=self.elapsed_s)

    @property
    def epoch(self) -> float:
        return self.num_chars / self.batches.num_chars_per_epoch

    @property
    def learning_rate(self) -> float:
        return learning_rate(self.config, self.fraction)

    def step(self) -> float:
        """One update on one batch; returns its loss in nats per character.

        Raises:
            TrainingDiverged: the loss or a gradient is not finite; the weights are left as they were.
        """
        batch = self.batches.next_batch()
        state = carry(self.state, batch.keep, batch.inputs.shape[1])
        autocast = self.config.precision == "bf16"
        logits, state = forward_with_dropout(
            self.model, batch.inputs, state, self.generator, autocast=autocast
        )
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._update(loss)
        self.state = tuple(part.detach() for part in state)
        self.step_count += 1
        self.num_chars += batch.num_chars
        return loss.item()

    def _update(self, loss: Tensor) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            raise TrainingDiverged(
                f"training diverged at step {self.step_count}: loss {loss.item():.4g}, "
                f"gradient norm {norm.item():.4g}; try a lower --learning-rate or --clip-norm"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average with a ramp, so that the first steps are soon forgotten."""
        decay = min(self.config.average_decay, (1 + self.step_count) / (10 + self.step_count))
        for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and values: all that the next step depends on."""
        return {
            "weights": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "state": list(self.state),
            "batches": self.batches.state_dict(),
            "step_count": self.step_count,
            "num_chars": self.num_chars,
            "elapsed_s": self.elapsed_s,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["weights"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        self.state = tuple(saved["state"])
        self.batches.load_state_dict(saved["batches"])
        self.step_count, self.num_chars = saved["step_count"], saved["num_chars"]
        self.elapsed_s = saved["elapsed_s"]


def zero_state(config: ModelConfig, batch_size: int) -> State:
    """The state before anything is read: float32 [num_layers, batch, hidden_size], twice for LSTM."""
    parts = 2 if config.cell == "lstm" else 1
    return tuple(torch.zeros(config.num_layers, batch_size, config.hidden_size) for _ in range(parts))


def carry(state: State, keep: Tensor, batch_size: int) -> State:
    """The state with the rows that start afresh set to zero; all rows when the batch size changes."""
    if state[0].shape[1] != batch_size:
        return tuple(torch.zeros(len(part), batch_size, part.shape[2]) for part in state)
    return tuple(torch.where(keep[None, :, None], part, 0.0) for part in state)
