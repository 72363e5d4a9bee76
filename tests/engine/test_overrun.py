"""A call of several steps may run a row beyond its lane's end: no delivery shows it, and calls stay long."""

import numpy as np
import pytest
from support.engine_lanes import GRAPH, run, some_ids

from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.lane_arrays import CHUNK
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.work import Delivery, FinishReason, Level
from nextchar.model.step_runner import StepRunner, fitting_steps
from nextchar.telemetry.engine_stats import EngineStats

_MAX_STEPS = 16


class Run:
    """Steps a batch by hand."""

    def __init__(self, lanes: list[Lane]) -> None:
        self.lanes = lanes
        self.batch = LaneBatch(StepRunner(GRAPH, len(lanes), _MAX_STEPS), EngineStats())
        self.deliveries: dict[Lane, list[Delivery]] = {lane: [] for lane in lanes}
        self.calls: list[int] = []  # steps of each
        for lane in lanes:
            self.batch.join(lane, 0.0)

    def step(self) -> int:
        """Runs one call; returns how many steps it had."""
        for lane, delivery in self.batch.step(Level.SAMPLING, _MAX_STEPS):
            self.deliveries[lane].append(delivery)
        self.calls.append(self.batch.num_steps)
        return self.batch.num_steps

    def to_end(self) -> "Run":
        while self.batch.lanes:
            self.step()
        return self

    def ids(self, lane: Lane) -> list[int]:
        return [i for delivery in self.deliveries[lane] for i in delivery.ids.tolist()]


def lane(num_chars: int, seed: int = 1, **fields: object) -> Lane:
    return Lane(some_ids(0), sampling=Sampling(num_chars, seed), **fields)  # type: ignore[arg-type]


def alone(num_chars: int, seed: int = 1) -> list[int]:
    return run([lane(num_chars, seed)], max_lanes=1, max_steps=1)[0].ids


def test_one_lane_that_ends_cuts_no_call_of_many_short() -> None:
    ending, *others = lanes = [lane(12), *(lane(100, seed) for seed in range(2, 16))]
    tried = Run(lanes)
    assert tried.step() == _MAX_STEPS
    (delivery,) = tried.deliveries[ending]
    assert delivery.finish is FinishReason.LENGTH
    assert delivery.ids.tolist() == alone(12)
    tried.to_end()
    assert [tried.ids(other) for other in others] == [alone(100, seed) for seed in range(2, 16)]


@pytest.mark.parametrize(
    ("num_chars", "calls"),
    [(16, [16]), (12, [12]), (11, [12]), (9, [8, 1]), (7, [8]), (5, [6]), (3, [3]), (2, [2]), (1, [1])],
)
def test_a_lane_alone_runs_beyond_its_end_only_if_that_saves_a_call(num_chars: int, calls: list[int]) -> None:
    assert Run([lane(num_chars)]).to_end().calls == calls


def test_many_lanes_that_end_together_do_not_run_on() -> None:
    assert Run([lane(5, seed) for seed in range(40)]).to_end().calls == [4, 1]


@pytest.mark.parametrize("num_chars", [CHUNK - 9, CHUNK - 1, CHUNK, CHUNK + 3, 2 * CHUNK - 5])
def test_beyond_the_end_of_a_chunk_nothing_of_a_neighbour_is_touched(num_chars: int) -> None:
    lanes = [lane(num_chars + 40 * (i % 2), i) for i in range(6)]
    tried = Run(lanes).to_end()
    for i, each in enumerate(lanes):
        assert tried.ids(each) == alone(num_chars + 40 * (i % 2), i)


def test_a_state_that_is_kept_has_read_nothing_beyond_the_end() -> None:
    kept, lonely = lane(12, keeps_state=True), lane(12, keeps_state=True)
    Run([kept, *(lane(100, seed) for seed in range(2, 16))]).to_end()
    run([lonely], max_steps=1)
    assert kept.state is not None
    assert lonely.state is not None
    assert kept.state.last_id == lonely.state.last_id
    for name, array in lonely.state.arrays.items():
        assert np.array_equal(kept.state.arrays[name], array)


def test_steps_beyond_the_end_are_not_counted_as_done() -> None:
    tried = Run([lane(12), *(lane(100, seed) for seed in range(2, 16))]).to_end()
    assert max(tried.calls) == _MAX_STEPS
    assert tried.batch.num_done[Level.SAMPLING] == 12 + 14 * 100


def test_calls_have_few_lengths_none_much_shorter_than_it_might_be() -> None:
    found = [fitting_steps(most) for most in range(1, _MAX_STEPS + 1)]
    assert sorted(set(found)) == [1, 2, 3, 4, 6, 8, 12, 16]
    assert all(2 / 3 * most < steps <= most for most, steps in enumerate(found, start=1))
