"""Forecasts how long a run will take, from steps that are timed before it starts."""

import time

import torch

from nextchar_training.batches.batch import Batch
from nextchar_training.run.step import Trainer

_WARM_STEPS, _TIMED_STEPS = 2, 3


def measure_step_s(trainer: Trainer) -> float:
    """Returns the seconds per training step, timed on a copy with random ids; the run is not changed."""
    config, model_config = trainer.config, trainer.model.config
    trial = Trainer(config, model_config, _RandomBatches(trainer), trainer.length, trainer.group)
    for _ in range(_WARM_STEPS):
        trial.step()
    started = time.perf_counter()
    for _ in range(_TIMED_STEPS):
        trial.step()
    return (time.perf_counter() - started) / _TIMED_STEPS


def forecast(trainer: Trainer, step_s: float) -> str:
    """Returns one line with the speed and the steps, epochs and minutes that are left."""
    batches = trainer.batches
    done = trainer.progress
    left_s = trainer.length.left_s(step=done.step_count, elapsed_s=done.elapsed_s, step_s=step_s)
    steps = left_s / step_s
    epoch_s = batches.steps_per_epoch * step_s
    return (
        f"forecast: {batches.num_chars_per_epoch / epoch_s:,.0f} chars/s, {steps:,.0f} steps, "
        f"{left_s / epoch_s:.1f} epochs of {batches.num_chars_per_epoch:,} characters, "
        f"{left_s / 60:.1f} minutes plus evaluations, if the load on this machine stays the same"
    )


class _RandomBatches:
    """Batches of random ids in the shape of the run's."""

    def __init__(self, trainer: Trainer) -> None:
        self.num_chars_per_epoch = trainer.batches.num_chars_per_epoch
        self.steps_per_epoch = trainer.batches.steps_per_epoch
        self.window = trainer.batches.window
        shape = (self.window, trainer.config.batch_size)
        generator = torch.Generator().manual_seed(0)
        self._ids = torch.randint(trainer.model.config.num_outputs, shape, generator=generator)

    def next_batch(self) -> Batch:
        keep = torch.ones(self._ids.shape[1], dtype=torch.bool)
        return Batch(self._ids, self._ids, keep, num_chars=self._ids.numel())

    def state_dict(self) -> dict[str, object]:
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        assert not state
