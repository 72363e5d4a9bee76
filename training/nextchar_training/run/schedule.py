"""Computes how much of a run is done, and the learning rate there; pure functions, time is an argument."""

import math
from dataclasses import dataclass

from nextchar_training.config import LengthConfig, OptimisationConfig


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a run: `steps`, `seconds` of training, or whichever is reached first."""

    steps: int | None
    seconds: float | None

    def fraction(self, *, step: int, elapsed_s: float) -> float:
        """Returns the share of the run that is done, 0 to 1: of its steps or of its time, the larger one."""
        done = step / self.steps if self.steps is not None else 0.0
        spent = elapsed_s / self.seconds if self.seconds is not None else 0.0
        return min(1.0, max(done, spent))

    def left_s(self, *, step: int, elapsed_s: float, step_s: float) -> float:
        """Returns the seconds to the end of a run that has not ended, at `step_s` seconds per step."""
        by_steps = (self.steps - step) * step_s if self.steps is not None else math.inf
        by_time = self.seconds - elapsed_s if self.seconds is not None else math.inf
        return min(by_steps, by_time)


def run_length(config: LengthConfig, steps_per_epoch: float) -> Length:
    """Returns the length of a run from its `epochs` or `steps`, its `max_minutes`, or both."""
    assert any((config.epochs, config.steps, config.max_minutes)), "a run without an end"
    seconds = None if config.max_minutes is None else config.max_minutes * 60
    if config.epochs is None:
        return Length(config.steps, seconds)
    return Length(max(1, math.ceil(config.epochs * steps_per_epoch)), seconds)


def learning_rate(config: OptimisationConfig, fraction: float) -> float:
    """Returns the learning rate: a linear warm-up, then the schedule, to a hundredth of the peak."""
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
