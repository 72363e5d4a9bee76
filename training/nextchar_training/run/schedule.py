"""How far a run is, and the learning rate there. Pure; time is an argument."""

import math
from dataclasses import dataclass

from nextchar_training.config import LengthConfig, OptimisationConfig


@dataclass(frozen=True, slots=True)
class Length:
    """When a run ends: after `steps`, after `seconds` of training, or after whichever comes first."""

    steps: int | None
    seconds: float | None

    def fraction(self, *, step: int, elapsed_s: float) -> float:
        """The share of the run that is done, 0 to 1: of its steps or of its time, whichever is further."""
        done = step / self.steps if self.steps is not None else 0.0
        spent = elapsed_s / self.seconds if self.seconds is not None else 0.0
        return min(1.0, max(done, spent))

    def left_s(self, *, step: int, elapsed_s: float, step_s: float) -> float:
        """Seconds to the end of a run that has not ended, where a step takes `step_s`."""
        by_steps = (self.steps - step) * step_s if self.steps is not None else math.inf
        by_time = self.seconds - elapsed_s if self.seconds is not None else math.inf
        return min(by_steps, by_time)


def run_length(config: LengthConfig, steps_per_epoch: float) -> Length:
    """The run's end from its `epochs` or `steps`, its `max_minutes`, or both."""
    assert any((config.epochs, config.steps, config.max_minutes)), "a run without an end"
    seconds = None if config.max_minutes is None else config.max_minutes * 60
    if config.epochs is None:
        return Length(config.steps, seconds)
    return Length(max(1, math.ceil(config.epochs * steps_per_epoch)), seconds)


def learning_rate(config: OptimisationConfig, fraction: float) -> float:
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
