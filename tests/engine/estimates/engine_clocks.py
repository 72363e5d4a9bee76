"""Clocks that take the place of those of engines, so that tests move the time."""

import time

import pytest

from nextchar.engine import engine as engine_module
from nextchar.engine import lane_batch, score_batch
from nextchar.model.step_runner import StepRunner


class StepClock:
    """Takes the place of the clock of engines: only steps take time, each as much as the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step_seconds: float) -> None:
        self._seconds = 0.0
        step = StepRunner.step

        def timed(runner: StepRunner, n: int, num_steps: int = 1, **how: bool) -> None:
            self._seconds += num_steps * step_seconds
            step(runner, n, num_steps, **how)

        monkeypatch.setattr(StepRunner, "step", timed)
        monkeypatch.setattr(engine_module, "time", self)

    def perf_counter(self) -> float:
        return self._seconds

    monotonic = perf_counter

    def idle(self, seconds: float) -> None:
        """Lets time pass between two steps."""
        self._seconds += seconds


class Clock:
    """Takes the place of the clock by which engines end what runs; `jump` puts it past every deadline."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead_seconds = 0.0
        for batch in (lane_batch, score_batch):
            monkeypatch.setattr(batch, "time", self)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_seconds

    def jump(self) -> None:
        self._ahead_seconds = 10_000
