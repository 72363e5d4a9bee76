"""The training step and everything it changes, so that a run can stop anywhere and go on bit-equal."""

import copy
import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nextchar.errors import NextcharError
from nextchar_training.batches.batch import IGNORED, Batch, Batches
from nextchar_training.config import TrainingConfig
from nextchar_training.network.cells.cell import State
from nextchar_training.network.dropout import DropoutForward, dropout_rates
from nextchar_training.network.network import CharRNN, ModelConfig, zero_state
from nextchar_training.run.optimizer import Norms, clip_gradients, make_optimizer
from nextchar_training.run.processes import Team
from nextchar_training.run.schedule import Length, learning_rate


class TrainingDiverged(NextcharError):
    """The loss or a gradient is no longer a number."""

    code = "training_diverged"


@dataclass(slots=True)
class Progress:
    """How far a run is: updates, characters read, seconds of training."""

    step_count: int = 0
    num_chars: int = 0
    elapsed_s: float = 0.0


class Trainer:
    """A network in training: weights, their average, optimiser, carried state, data cursor, randomness."""

    def __init__(
        self,
        config: TrainingConfig,
        model_config: ModelConfig,
        batches: Batches,
        length: Length,
        team: Team | None = None,
    ) -> None:
        self.config, self.batches, self.length, self.team = config, batches, length, team or Team()
        self.device = torch.device(config.device)
        if self.device.type == "cuda":
            # Weight-drop makes new weights at every step: cuDNN never has them in one piece.
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = CharRNN(model_config).to(self.device)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = make_optimizer(config, self.model)
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        autocast = config.precision == "bf16"
        forward = DropoutForward(self.model, dropout_rates(config), self.generator, autocast=autocast)
        self._forward = self.team.wrap(forward)
        self.state = self._zero_state()
        self.progress = Progress()
        self.norms = Norms(0.0, 0.0)

    @property
    def fraction(self) -> float:
        """The share of the run that is done."""
        return self.length.fraction(step=self.progress.step_count, elapsed_s=self.progress.elapsed_s)

    @property
    def epoch(self) -> float:
        return self.progress.num_chars / self.batches.num_chars_per_epoch

    @property
    def learning_rate(self) -> float:
        return learning_rate(self.config, self.fraction)

    def step(self) -> float:
        """One update on one batch; returns its loss in nats per character.

        Raises:
            TrainingDiverged: the loss or a gradient is not finite; the weights are left as they were.
        """
        batch = self.batches.next_batch()
        loss = self._backward(batch, batch.inputs.shape[1])
        self._update(loss)
        self.progress.step_count += 1
        self.progress.num_chars += batch.num_chars
        return loss

    def _backward(self, batch: Batch, num_columns: int) -> float:
        """Gradients of the mean loss over the whole batch, of which this process reads its columns."""
        columns, idle = self.team.columns(num_columns), self.team.idle(num_columns)
        inputs, targets, keep = (
            part[..., columns].to(self.device) for part in (batch.inputs, batch.targets, batch.keep)
        )
        state = carry(self.state, keep, inputs.shape[1])
        logits, state = self._forward(inputs, state, columns, num_columns)
        targets = torch.full_like(targets, IGNORED) if idle else targets
        nats = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        mean = nats / batch.num_chars
        self.optimizer.zero_grad()
        (mean * self.team.size).backward()  # type: ignore[no-untyped-call]  # the team averages
        self.state = tuple(part.detach() for part in state)
        return self.team.total(mean.detach()).item()

    def _update(self, loss: float) -> None:
        self.norms = clip_gradients(self.model, self.config)
        if not math.isfinite(loss) or not math.isfinite(self.norms.before):
            raise TrainingDiverged(
                f"training diverged at step {self.progress.step_count}: loss {loss:.4g}, "
                f"gradient norm {self.norms.before:.4g}; try a lower --learning-rate or --clip-norm"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average with a ramp, so that the first steps are soon forgotten."""
        count = self.progress.step_count
        decay = min(self.config.average_decay, (1 + count) / (10 + count))
        for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    def _zero_state(self) -> State:
        columns = self.team.columns(self.config.batch_size)
        return zero_state(self.model.config, columns.stop - columns.start, self.device)

    def _carried(self) -> State:
        """The state the next window starts from; lines start from nothing, and have any number of columns."""
        zeros = self._zero_state()
        return self.state if self.state[0].shape == zeros[0].shape else zeros

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors and values: all that the next step depends on. Every process of a team calls it."""
        return {
            "weights": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "state": [self.team.whole(part, self.config.batch_size) for part in self._carried()],
            "batches": self.batches.state_dict(),
            "progress": [self.progress.step_count, self.progress.num_chars, self.progress.elapsed_s],
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["weights"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self._continue_draws(saved["generator"], saved["progress"][0])
        columns = self.team.columns(self.config.batch_size)
        self.state = tuple(part[:, columns].to(self.device) for part in saved["state"])
        self.batches.load_state_dict(saved["batches"])
        self.progress = Progress(*saved["progress"])

    def _continue_draws(self, saved: Tensor, step_count: int) -> None:
        """Go on with the run's random numbers. Another kind of device has others: there a run goes on with
        numbers that follow from its seed and its step, and is no longer the same to the bit."""
        if saved.shape == self.generator.get_state().shape:
            self.generator.set_state(saved)
        else:
            self.generator.manual_seed(self.config.seed + (step_count << 32))


def carry(state: State, keep: Tensor, batch_size: int) -> State:
    """The state with the rows that start afresh set to zero; all rows when the batch size changes."""
    if state[0].shape[1] != batch_size:
        return tuple(part.new_zeros(len(part), batch_size, part.shape[2]) for part in state)
    return tuple(torch.where(keep[None, :, None], part, 0.0) for part in state)
