"""How far a run is, and the learning rate there. Pure; time is an argument."""

import math
from dataclasses import dataclass

from nextchar_training.training_config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Length:
    """When a run ends: after `steps`, or after `seconds` of training."""

    steps: int | None
    seconds: float | None

    def fraction(self, *, step: int, elapsed_s: float) -> float:
        """The share of the run that is done, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.seconds is not None
        return min(1.0, elapsed_s / self.seconds)


def run_length(config: TrainingConfig, steps_per_epoch: float) -> Length:
    """The run's end from its one of `epochs`, `steps`, `max_minutes`."""
    if config.max_minutes is not None:
        return Length(None, config.max_minutes * 60)
    if config.steps is not None:
        return Length(config.steps, None)
    assert config.epochs is not None
    return Length(max(1, math.ceil(config.epochs * steps_per_epoch)), None)


def learning_rate(config: TrainingConfig, fraction: float) -> float:
    """Linear warm-up, then the schedule: to a hundredth of the peak, or at the peak to the end."""
    if fraction < config.warmup:
        return config.learning_rate * max(fraction / config.warmup, 0.01)
    along = (fraction - config.warmup) / (1 - config.warmup)
    match config.schedule:
        case "cosine":
            return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))
        case "linear":
            return config.learning_rate * (0.01 + 0.99 * (1 - along))
        case "constant":
            return config.learning_rate
