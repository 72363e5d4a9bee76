"""Runs training steps, and saves and restores all that they depend on, so that a run resumes bit for bit."""

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
from nextchar_training.run.processes import ProcessGroup
from nextchar_training.run.schedule import Length, learning_rate


class TrainingDiverged(NextcharError):
    """Raised when the loss or a gradient is not finite."""

    code = "training_diverged"


@dataclass(slots=True)
class Progress:
    """Counts updates, characters read and seconds of training."""

    step_count: int = 0
    num_chars: int = 0
    elapsed_s: float = 0.0


class Trainer:
    """Trains a network: holds weights, their average, optimiser, carried state, data cursor and generator."""

    def __init__(
        self,
        config: TrainingConfig,
        model_config: ModelConfig,
        batches: Batches,
        length: Length,
        group: ProcessGroup | None = None,
    ) -> None:
        self.config, self.batches, self.length, self.group = config, batches, length, group or ProcessGroup()
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
        self._forward = self.group.wrap(forward)
        self.state = self._zero_state()
        self.progress = Progress()
        self.norms = Norms(0.0, 0.0)

    def start_from(self, network: CharRNN) -> None:
        """Takes the weights of another network of the same size, before the first step."""
        self.model.load_state_dict(network.state_dict())
        self.average.load_state_dict(network.state_dict())

    @property
    def fraction(self) -> float:
        """The share of the run that is done, 0 to 1."""
        return self.length.fraction(step=self.progress.step_count, elapsed_s=self.progress.elapsed_s)

    @property
    def epoch(self) -> float:
        """The number of passes over the training part."""
        return self.progress.num_chars / self.batches.num_chars_per_epoch

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return learning_rate(self.config, self.fraction)

    def step(self) -> float:
        """Updates the weights on one batch; returns its loss in nats per character.

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
        """Computes the gradients of the whole batch's mean loss; this process reads its columns of it."""
        columns, idle = self.group.columns(num_columns), self.group.is_idle(num_columns)
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
        (mean * self.group.size).backward()  # type: ignore[no-untyped-call]  # DistributedDataParallel averages
        self.state = tuple(part.detach() for part in state)
        return self.group.sum(mean.detach()).item()

    def _update(self, loss: float) -> None:
        self.norms = clip_gradients(self.model, self.config)
        if not math.isfinite(loss) or not math.isfinite(self.norms.before):
            raise TrainingDiverged(
                f"training diverged at step {self.progress.step_count}: loss {loss:.4g}, "
                f"gradient norm {self.norms.before:.4g}; start again with a lower --learning-rate or "
                "--clip-norm"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Updates the exponential moving average; its decay ramps up, to forget the first steps."""
        count = self.progress.step_count
        decay = min(self.config.average_decay, (1 + count) / (10 + count))
        for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    def _zero_state(self) -> State:
        columns = self.group.columns(self.config.batch_size)
        return zero_state(self.model.config, columns.stop - columns.start, self.device)

    def _carried(self) -> State:
        """Returns the state of the next window; lines start from zero and have any number of columns."""
        zeros = self._zero_state()
        return self.state if self.state[0].shape == zeros[0].shape else zeros

    def state_dict(self) -> dict[str, Any]:
        """Returns all that the next step depends on, as plain values; every process calls it."""
        return {
            "weights": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "state": [self.group.gather(part, self.config.batch_size) for part in self._carried()],
            "batches": self.batches.state_dict(),
            "progress": [self.progress.step_count, self.progress.num_chars, self.progress.elapsed_s],
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.model.load_state_dict(saved["weights"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self._continue_draws(saved["generator"], saved["progress"][0])
        columns = self.group.columns(self.config.batch_size)
        self.state = tuple(part[:, columns].to(self.device) for part in saved["state"])
        self.batches.load_state_dict(saved["batches"])
        self.progress = Progress(*saved["progress"])

    def _continue_draws(self, saved: Tensor, step_count: int) -> None:
        """Restores the generator. On another kind of device the generator is seeded from the run's seed and
        step instead, and the run is no longer the same bit for bit."""
        if saved.shape == self.generator.get_state().shape:
            self.generator.set_state(saved)
        else:
            self.generator.manual_seed(self.config.seed + (step_count << 32))


def carry(state: State, keep: Tensor, batch_size: int) -> State:
    """Returns the state with the streams that start afresh set to zero; all if the batch size changes."""
    if state[0].shape[1] != batch_size:
        return tuple(part.new_zeros(len(part), batch_size, part.shape[2]) for part in state)
    return tuple(torch.where(keep[None, :, None], part, 0.0) for part in state)
