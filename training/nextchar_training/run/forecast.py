"""Forecasts how long a run will take, from steps that are timed before it starts."""

import time

import torch

from nextchar_training.batches.batch import Batch
from nextchar_training.measure.figures import MAX_HELDOUT_CHARS
from nextchar_training.run.step import Trainer

_WARM_STEPS, _TIMED_STEPS = 2, 3
# A held-out character is read by two protocols and by a served graph, without a backward pass.
_MEASURED_PER_STEP = 1.0
_LONG_S, _WORTH_SAYING_S, _MAX_SHOWN_MINUTES = 1800, 30, 120
_SOONER = "; --max-minutes 15 ends it sooner, with its whole schedule"


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


def forecast(trainer: Trainer, step_s: float, *, num_heldout_chars: int = 0) -> str:
    """Returns one line with the speed and the steps, epochs and time that are left.

    It counts the measuring at the end too, and says how to end a run sooner that takes long.
    """
    batches = trainer.batches
    done = trainer.progress
    left_s = trainer.length.left_s(step=done.step_count, elapsed_s=done.elapsed_s, step_s=step_s)
    steps = left_s / step_s
    epoch_s = batches.steps_per_epoch * step_s
    char_s = epoch_s / batches.num_chars_per_epoch
    measuring_s = min(num_heldout_chars, MAX_HELDOUT_CHARS) * char_s * _MEASURED_PER_STEP
    long = left_s > _LONG_S and trainer.config.max_minutes is None
    measuring = f" and {_duration(measuring_s)} of measuring" if measuring_s >= _WORTH_SAYING_S else ""
    return (
        f"forecast: {1 / char_s:,.0f} chars/s, {steps:,.0f} steps, "
        f"{left_s / epoch_s:.1f} epochs of {batches.num_chars_per_epoch:,} characters, "
        f"{_duration(left_s)}{measuring}, if the load on this machine stays the same{_SOONER if long else ''}"
    )


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.1f} minutes" if minutes < _MAX_SHOWN_MINUTES else f"{minutes / 60:.1f} hours"


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
