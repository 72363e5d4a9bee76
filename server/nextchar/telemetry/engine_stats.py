"""Holds the counts of an engine as plain numbers, written by its thread and read at a scrape.

A call to a metric in every step would cost more than the sampling, and a scrape is rare. The numbers of one
scrape may be one step apart from each other.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Upper bounds in seconds, from a step of one small lane to one of many large ones.
DURATION_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Tally:
    """Counts values per fixed upper bound and sums them, as a histogram does."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def add_all(self, values: NDArray[np.float64]) -> None:
        """Counts many values at once."""
        places = np.searchsorted(self.bounds, values)
        for place, count in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += count
        self.sum += float(values.sum())

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(slots=True)
class BatchCount:
    """The calls of the graph with one batch size: their number, seconds in the graph, seconds around it."""

    num_calls: int = 0
    step_seconds: float = 0.0
    sample_seconds: float = 0.0

    def add(self, num_calls: int, step_seconds: float, sample_seconds: float) -> None:
        self.num_calls += num_calls
        self.step_seconds += step_seconds
        self.sample_seconds += sample_seconds


@dataclass(slots=True)
class EngineStats:
    """The counts since the engine started; `wait_seconds` is the wait for the next call, by level."""

    batch_size: Tally = field(default_factory=lambda: Tally(BATCH_BUCKETS))
    step_seconds: Tally = field(default_factory=lambda: Tally(DURATION_BUCKETS))
    sample_seconds: Tally = field(default_factory=lambda: Tally(DURATION_BUCKETS))
    by_batch: dict[int, BatchCount] = field(default_factory=dict)
    wait_seconds: list[Tally] = field(default_factory=lambda: [Tally(DURATION_BUCKETS) for _ in range(3)])

    def add_steps(self, num_lanes: int, num_steps: int, step_seconds: float, sample_seconds: float) -> None:
        """Counts one call of `num_steps` steps: seconds in the graph, seconds around it."""
        self.batch_size.add(num_lanes, num_steps)
        self.step_seconds.add(step_seconds / num_steps, num_steps)
        self.sample_seconds.add(sample_seconds / num_steps, num_steps)
        count = self.by_batch.get(num_lanes)
        if count is None:
            count = self.by_batch[num_lanes] = BatchCount()
        count.add(1, step_seconds, sample_seconds)
