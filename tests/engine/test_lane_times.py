"""Lanes are delivered when there is enough or time is up, end at their deadlines, and are counted."""

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from support.engine_lanes import GRAPH, VOCABULARY, Batch, some_ids
from support.replacing import replace_in

from nextchar.engine import lane_batch, lane_steps
from nextchar.engine.automaton import Automaton
from nextchar.engine.lane import Lane, LaneState, LaneTrace, Penalties, Sampling
from nextchar.engine.work import UNLIMITED, FinishReason, Level
from nextchar.errors import DeadlineExceeded, InternalError
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

ENDLESS = 10**6


def drawn_text(k: int, size: int = 4) -> Lane:
    sampling = Sampling(60, k, chars_per_delivery=size, seconds_per_delivery=5.0)
    return Lane(some_ids(3, seed=k), sampling=sampling)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("changes", [{}, {"num_top": 1}, {"keeps_state": True}])
def test_a_stream_delivers_when_there_is_enough_or_time_is_up(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], size: int
) -> None:
    now, rng, tried = [0.0], np.random.default_rng(1), Batch(3)
    replace_in(monkeypatch, lane_batch, "time", monotonic=lambda: now[0])
    lanes = [drawn_text(k, size) for k in range(3)]
    for each in lanes:
        for name, value in changes.items():
            setattr(each, name, value)
        tried.join(each)
    taken, due, expected = 0, UNLIMITED, []
    for passed in range(1, 3 + 60 + 1):
        now[0] += float(rng.choice([0.0, 1.0, 3.0]))
        tried.step(Level.SAMPLING, 1)
        if passed in (4, 63) or (passed > 4 and (passed - taken >= size or now[0] >= due)):
            expected.append(passed - taken)
            taken, due = passed, now[0] + 5.0
    assert len(set(expected[1:-1])) > 2 or size == 1  # some were full, some out of time
    for each in lanes:
        assert [len(d.ids) for d in tried.deliveries[each]] == expected


def test_the_first_character_has_a_call_of_its_own_among_few_and_shares_one_among_many() -> None:
    for num_others, expected in ((7, 4), (8, 16)):
        tried = Batch(12)
        for k in range(num_others):
            tried.join(Lane(some_ids(0), sampling=Sampling(ENDLESS, k)))
        tried.step(Level.SAMPLING, 4)
        first = drawn_text(99)
        tried.join(first)
        tried.step(Level.SAMPLING, 16)
        assert tried.batch.num_steps == expected
        assert [len(d.ids) for d in tried.deliveries[first]] == [expected]


def test_a_lane_without_steps_is_done_when_it_joins_and_its_state_is_where_it_started() -> None:
    start = LaneState(3, StepRunner(GRAPH, 1).read_state(0))
    for one, reason in (
        (Lane(some_ids(0), start=start, keeps_state=True), FinishReason.GIVEN),
        (Lane(some_ids(0), start=start, sampling=Sampling(0, 1)), FinishReason.LENGTH),
    ):
        tried = Batch(2)
        tried.join(one, now=7.0)
        (delivery,) = tried.deliveries[one]
        assert (delivery.finish, delivery.ids.tolist(), delivery.logprobs.tolist()) == (reason, [], [])
        assert (delivery.ids.dtype, delivery.logprobs.dtype) == (np.int64, np.float64)
        assert one.state is start
        assert tried.batch.lanes == []
        assert tried.batch.step(Level.SAMPLING, 4) == []


def test_lanes_end_at_their_deadlines_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now, tried = [0.0], Batch(8)
    replace_in(monkeypatch, lane_batch, "time", monotonic=lambda: now[0])
    lanes = [
        Lane(some_ids(0), sampling=Sampling(ENDLESS, k), deadline=deadline)
        for k, deadline in enumerate((30.0, UNLIMITED, 10.0, 10.5, 20.0))
    ]
    for each in lanes:
        tried.join(each)
    for now[0], late in (
        (9.9, []),
        (10.0, [2]),
        (19.0, [3]),
        (19.5, []),
        (20.0, [4]),
        (40.0, [0]),
        (1e9, []),
    ):
        ended = tried.step(Level.SAMPLING, 4)
        assert [lanes.index(each) for each in ended] == late
        for each in ended:
            assert isinstance(tried.deliveries[each][-1].error, DeadlineExceeded)
        if late == [3]:
            sooner = Lane(some_ids(0), sampling=Sampling(ENDLESS, 9), deadline=19.2)
            lanes.append(sooner)
            tried.join(sooner)
            late_too = tried.step(Level.SAMPLING, 4)
            assert late_too == []
            now[0] = 19.2
            assert tried.step(Level.SAMPLING, 4) == [sooner]
    assert list(tried.left) == [lanes[1]]


def anything() -> Automaton:
    """The pattern of any text."""
    return Automaton.of(np.zeros((1, VOCABULARY.num_outputs), dtype=np.int32), [0])


def test_a_failure_ends_every_lane_and_leaves_an_empty_batch() -> None:
    tried, error = Batch(12), InternalError("broken")
    lanes = [Lane(some_ids(9)), Lane(some_ids(9), num_top=2, wants_distribution=True)]
    kinds = ({}, {"stop": ((1,),)}, {"top_k": 3}, {"automaton": anything()}, {"seconds_per_delivery": 1.0})
    kinds += ({"bias": ((1, 2.0),)}, {"penalties": Penalties(1.0)}, {"min_chars": 3})
    kinds += ({"reports_drawn_logprobs": True},)
    lanes.append(Lane(some_ids(9), trace=LaneTrace(states=True)))
    lanes += [Lane(some_ids(0), sampling=Sampling(ENDLESS, 1, **kind)) for kind in kinds]  # type: ignore[arg-type]
    for each in lanes:
        tried.join(each)
    tried.check()
    tried_rows = list(tried.batch.lanes)
    outbox = tried.batch.fail(error)
    assert [work for work, _ in outbox] == tried_rows
    assert all(delivery.error is error for _, delivery in outbox)
    assert (tried.batch.lanes, tried.batch.num_interactive) == ([], 0)
    arrays = tried.batch._arrays
    counted = (arrays, arrays.host_sampler, arrays.host_sampler.masks)
    counts = {name: value for part in counted for name, value in vars(part).items() if isinstance(value, int)}
    of_rows = {name: n for name, n in counts.items() if name.lstrip("_").startswith("num_")}
    assert {name for name, n in of_rows.items() if n} == {"_num_outputs"}
    assert len(of_rows) == 1 + 5 + 5 + 2


def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a second pass with every look at the clock."""
    clock: Callable[[], int] = count(1).__next__
    for module in (lane_batch, lane_steps):
        replace_in(monkeypatch, module, "time", perf_counter=lambda: float(clock()))


def test_a_call_is_counted_with_its_rows_its_steps_and_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch)
    stats = EngineStats()
    tried = Batch(4, stats=stats)
    for k in range(3):
        tried.join(Lane(some_ids(0), sampling=Sampling(ENDLESS, k)))
    tried.join(Lane(some_ids(60)))
    tried.step(Level.SAMPLING, 8)
    tried.step(Level.INTERACTIVE, 4)
    assert {n: (c.num_calls, c.step_seconds, c.sample_seconds) for n, c in stats.by_batch.items()} == {
        4: (1, 1.0, 2.0),
        1: (1, 1.0, 2.0),
    }
    assert (stats.batch_size.count, stats.batch_size.sum) == (12, 4 * 8 + 4)
    assert stats.step_seconds.sum == 2.0
    assert stats.sample_seconds.sum == 4.0
