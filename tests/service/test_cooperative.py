"""Work on the event loop is cut by the clock, and only one piece of it runs before the loop goes round."""

import asyncio

import pytest
import uvloop

from nextchar.engine import cooperative
from nextchar.engine.cooperative import Cooperative, run_cooperatively

_SLICE = cooperative._SLICE_SECONDS


class _Clock:
    """Shows what the steps of work have cost."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _work(clock: _Clock, costs: list[float]) -> Cooperative[int]:
    for cost in costs:
        clock.now += cost
        yield
    return len(costs)


async def _rounds(works: list[list[float]]) -> tuple[list[int], list[float]]:
    """Runs works at once; returns their results, and what was done in each round of the loop."""
    clock, rounds, running = _Clock(), list[float](), True

    async def watch() -> None:
        while running:
            before = clock.now
            await asyncio.sleep(0)
            rounds.append(clock.now - before)

    watching = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    done = await asyncio.gather(*(run_cooperatively(_work(clock, costs), clock=clock) for costs in works))
    running = False
    await watching
    return done, rounds


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_slice_ends_by_the_clock_however_many_steps_it_has(make_loop: object) -> None:
    steps = [_SLICE / 100] * 1000 + [_SLICE / 2] * 20
    with asyncio.Runner(loop_factory=make_loop) as runner:  # type: ignore[arg-type]
        (done,), rounds = runner.run(_rounds([steps]))
    assert done == len(steps)
    assert max(rounds) <= _SLICE + max(steps)
    assert len([spent for spent in rounds if spent]) <= sum(steps) / _SLICE + 2


def test_many_works_together_do_no_more_in_a_round_than_one_alone() -> None:
    steps = [_SLICE / 10] * 200
    done, rounds = asyncio.run(_rounds([steps] * 8))
    assert done == [200] * 8
    begun = [
        spent for spent in rounds if spent > 1.2 * _SLICE
    ]  # the first slice of each, which is not delayed
    assert len(begun) <= 1
    assert sum(rounds) == pytest.approx(8 * sum(steps))


def test_short_work_is_done_at_once_beside_long_work() -> None:
    async def work() -> list[str]:
        clock, ended = _Clock(), list[str]()

        async def run(name: str, costs: list[float]) -> None:
            await run_cooperatively(_work(clock, costs), clock=clock)
            ended.append(name)

        long = [asyncio.ensure_future(run("long", [_SLICE] * 50)) for _ in range(4)]
        await asyncio.sleep(0)
        await run("short", [_SLICE / 10] * 3)
        await asyncio.gather(*long)
        return ended

    assert asyncio.run(work())[0] == "short"


def test_work_that_fails_tells_and_lets_the_others_go_on() -> None:
    def failing() -> Cooperative[None]:
        yield
        raise ValueError("it does not fit")

    async def work() -> int:
        clock = _Clock()

        async def fail() -> None:
            with pytest.raises(ValueError, match="it does not fit"):
                await run_cooperatively(failing(), clock=lambda: next(ticks))

        ticks = iter(range(100))
        return (
            await asyncio.gather(run_cooperatively(_work(clock, [_SLICE] * 5), clock=clock), fail(), fail())
        )[0]

    assert asyncio.run(work()) == 5
