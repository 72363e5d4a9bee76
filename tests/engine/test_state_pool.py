"""A kept state is there until its last use, and its place is used again."""

import numpy as np
import pytest
from support.engine_lanes import GRAPH

from nextchar.engine import state_pool
from nextchar.engine.state_pool import INITIAL, StatePool
from nextchar.model.step_runner import StepRunner

ROWS = 8


def fill(runner: StepRunner, rng: np.random.Generator) -> list[float]:
    """Writes other states into all rows; returns a number by which each is known."""
    numbers = rng.integers(0, 200, ROWS)
    arrays = {name: np.empty_like(a) for name, a in runner.read_state(np.arange(ROWS)).items()}
    for array in arrays.values():
        array[:] = numbers[:, None]
    runner.write_state(np.arange(ROWS), arrays)
    return numbers.tolist()


def known(runner: StepRunner, row: int) -> set[float]:
    return {x for array in runner.read_state(row).values() for x in array.tolist()}


class Tried:
    """Runs a pool beside a dictionary of the states that it must hold, each with the uses it has left."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.runner = StepRunner(GRAPH, ROWS)
        self.pool = StatePool(self.runner)
        self.kept: dict[int, tuple[float, int]] = {}
        self.most = 0

    def add(self, slots: list[int], numbers: list[float], uses: list[int]) -> None:
        assert not set(slots) & {*self.kept, INITIAL}
        assert len(set(slots)) == len(slots)
        self.kept.update(zip(slots, zip(numbers, uses, strict=True), strict=True))
        self.most = max(self.most, len(self.kept))
        assert max(self.kept) <= self.most  # places are used again before another is taken

    def keep(self) -> None:
        numbers = fill(self.runner, self.rng)
        rows = self.rng.permutation(ROWS)[: self.rng.integers(1, 4)]
        uses = self.rng.integers(1, 4, len(rows)).tolist()
        self.add(self.pool.keep(rows, uses), [numbers[row] for row in rows.tolist()], uses)

    def put(self) -> None:
        numbers = fill(self.runner, self.rng)
        self.add([self.pool.put(self.runner.read_state(3))], [numbers[3]], [1])

    def use(self, slot: int) -> None:
        number, uses = self.kept.pop(slot)
        if uses > 1:
            self.kept[slot] = number, uses - 1

    def restore(self) -> None:
        slots = self.rng.permutation(list(self.kept))[:3].tolist()
        rows = self.rng.permutation(ROWS)[: len(slots)]
        before = fill(self.runner, self.rng)
        expected = dict(enumerate(before)) | {
            row: self.kept[slot][0] for row, slot in zip(rows.tolist(), slots, strict=True)
        }
        self.pool.restore(rows, slots)
        assert all(known(self.runner, row) == {number} for row, number in expected.items())
        for slot in slots:
            self.use(slot)

    def release(self) -> None:
        slot = int(self.rng.choice(list(self.kept)))
        self.pool.release(slot)
        self.use(slot)


@pytest.mark.parametrize("first_capacity", [1, 2, 64])
def test_states_come_back_as_they_were_kept(monkeypatch: pytest.MonkeyPatch, first_capacity: int) -> None:
    monkeypatch.setattr(state_pool, "_FIRST_CAPACITY", first_capacity)
    for seed in range(4):
        tried = Tried(seed)
        for _ in range(60):
            ways = [tried.keep, tried.put] + (
                [tried.restore, tried.restore, tried.release] * bool(tried.kept)
            )
            ways[int(tried.rng.integers(len(ways)))]()
            assert tried.pool.num_kept == len(tried.kept)


def test_the_state_before_any_character_is_there_without_end() -> None:
    runner = StepRunner(GRAPH, ROWS)
    pool, before = StatePool(runner), runner.read_state(0)
    runner.reset(0)
    initial = runner.read_state(0)
    for _ in range(3):
        runner.write_state(0, {name: array + 1 for name, array in before.items()})
        pool.release(INITIAL)
        pool.restore(np.array([0]), [INITIAL])
        assert all(np.array_equal(initial[name], array) for name, array in runner.read_state(0).items())
    assert pool.num_kept == 0
    assert pool.keep(np.array([0]), [1]) != [INITIAL]
