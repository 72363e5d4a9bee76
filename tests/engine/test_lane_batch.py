"""Lanes that come and go give what each gives alone, are delivered in time and are counted rightly."""

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from support.engine_lanes import GRAPH, some_ids
from support.tiny_models import LINES

from nextchar.engine import lane_arrays
from nextchar.engine.automaton import Automaton
from nextchar.engine.lane import Lane, LaneState, Penalties, Sampling
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.work import UNLIMITED, Delivery, FinishReason, Level
from nextchar.errors import DeadlineExceeded, InternalError
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

GRAPHS = {"text": GRAPH, "lines": LINES.step()}
ENDLESS = 10**6


def pairs(num_symbols: int) -> Automaton:
    """The pattern of one or more pairs of a symbol up to 20 and one beyond that, but none beyond 25."""
    next_states = np.full((3, num_symbols), -1, dtype=np.int32)
    next_states[[0, 2], :20] = 1
    next_states[1, 20:25] = 2
    return Automaton.of(next_states, [2])


def one_pair(num_symbols: int) -> Automaton:
    next_states = np.full((3, num_symbols), -1, dtype=np.int32)
    next_states[0, :20], next_states[1, 20:25] = 1, 2
    return Automaton.of(next_states, [2])


def lane(k: int, graph: ModelGraph, *, in_pieces: bool = True) -> Lane:
    """Lane number `k`: of every kind, in some way."""
    rng = np.random.default_rng(k)
    given = some_ids(int(rng.choice([0, 1, 5, 15, 16, 17, 40])), seed=k)
    if k % 4 == 0:
        return Lane(given, wants_distribution=k % 8 == 0, num_top=3 * (k % 12 == 0), keeps_state=k % 20 == 0)
    is_pattern = k % 11 < 2
    sampling = Sampling(
        max_chars=int(rng.choice([2 if is_pattern else 1, 15, 16, 33, 50])),
        seed=k,
        temperature=float(rng.choice([1.0, 1.0, 0.5, 0.0])),
        top_k=4 * (k % 7 == 0),
        penalties=Penalties(0.5, 0.25, 1.2) if k % 9 == 0 else Penalties(),
        stop=(((3,), (1, 2)), ((4, 5), (6, 7, 8)))[k % 2] if k % 3 == 0 else (),
        first_draw=k % 6,
        min_chars=6 * (k % 5 == 0),
        automaton=(pairs, one_pair)[k % 2](graph.vocabulary.num_outputs) if is_pattern else None,
        includes_stop=k % 6 == 0,
        reports_drawn_logprobs=k % 13 == 0,
        chars_per_delivery=int(rng.choice([0, 1, 7, 30])) if in_pieces else 0,
        seconds_per_delivery=0.0 if in_pieces and k % 10 == 1 else UNLIMITED,
    )
    return Lane(given, sampling=sampling, num_top=2 * (k % 17 == 1), keeps_state=k % 19 == 1)


def joined(deliveries: list[Delivery]) -> tuple[object, ...]:
    """What some deliveries hold together."""
    last = deliveries[-1]
    ids, logprobs = (
        np.concatenate(x).tolist() for x in zip(*((d.ids, d.logprobs) for d in deliveries), strict=True)
    )
    tops = [
        (d.top_ids, d.top_logprobs)
        for d in deliveries
        if d.top_ids is not None and d.top_logprobs is not None
    ]
    return (
        *(ids, logprobs, last.finish, last.num_stop),
        [row for top_ids, _ in tops for row in top_ids.tolist()],
        [row for _, top_logprobs in tops for row in top_logprobs.tolist()],
        None if last.distribution is None else last.distribution.tolist(),
    )


def state_of(lane: Lane) -> object:
    return lane.state and (lane.state.last_id, {name: a.tolist() for name, a in lane.state.arrays.items()})


class Batch:
    """A batch, and what its numbers are to be by a count of our own."""

    def __init__(self, max_lanes: int, graph: ModelGraph = GRAPH, stats: EngineStats | None = None) -> None:
        self.graph = graph
        self.batch = LaneBatch(StepRunner(graph, max_lanes, 16), stats or EngineStats())
        self.deliveries: dict[Lane, list[Delivery]] = {}
        self.left: dict[Lane, int] = {}
        self.all_steps = [0, 0]

    def join(self, lane: Lane, now: float = 0.0) -> None:
        self.all_steps[lane.level] += lane.num_steps
        self.deliveries[lane] = []
        done = self.batch.join(lane, now)
        assert lane.joined == now
        if done is None:
            self.left[lane] = lane.num_steps
        else:
            self.deliveries[lane] = [done]

    def leave(self, lane: Lane) -> None:
        self.batch.leave(lane)
        del self.left[lane], self.deliveries[lane]

    def step(self, level: Level, max_steps: int) -> list[Lane]:
        """Runs a call; returns the lanes that have ended."""
        outbox = self.batch.step(level, max_steps)
        for lane, delivery in outbox:
            assert isinstance(lane, Lane)
            self.deliveries[lane].append(delivery)
        ended = [lane for lane, delivery in outbox if delivery.last]
        for lane in self.left:
            if lane.level <= level:
                self.left[lane] = max(0, self.left[lane] - self.batch.num_steps)
        for lane in ended:
            del self.left[lane]
        return ended  # type: ignore[return-value]

    def to_end(self) -> None:
        while self.batch.lanes:
            self.step(Level.SAMPLING, 1)

    def check(self) -> None:
        """Compares every number that others read."""
        batch, arrays, lanes = self.batch, self.batch._arrays, list(self.left)
        assert set(batch.lanes) == set(lanes)
        assert [lane.row for lane in batch.lanes] == list(range(len(lanes)))
        levels = [lane.level for lane in batch.lanes]
        assert levels == sorted(levels)
        assert batch.num_interactive == levels.count(Level.INTERACTIVE)
        for level in (Level.INTERACTIVE, Level.SAMPLING):
            left = [n for lane, n in self.left.items() if lane.level is level]
            assert batch.longest(level) == max(left, default=0)
            assert batch.num_done[level] + sum(left) == self.all_steps[level]
        drawn = [lane.sampling for lane in lanes if lane.sampling is not None]
        has_end = self.graph.vocabulary.end_id is not None
        assert arrays.num_sampling == len(drawn)
        assert arrays.num_stopping == sum(bool(s.stop) or has_end for s in drawn)
        assert arrays.num_topped == sum(lane.num_top > 0 for lane in lanes)
        assert arrays.num_timed == sum(s.seconds_per_delivery < UNLIMITED for s in drawn)
        assert arrays.host_sampler.num_enabled == sum(s.needs_host for s in drawn)
        assert arrays.host_sampler.masks.num_patterns == sum(s.automaton is not None for s in drawn)


def alone(lane: Lane, graph: ModelGraph = GRAPH) -> list[Delivery]:
    tried = Batch(1, graph)
    tried.join(lane)
    tried.to_end()
    return tried.deliveries[lane]


@pytest.mark.parametrize("name", GRAPHS)
def test_lanes_come_and_go_in_any_order_and_give_what_each_gives_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    graph, rng, kept = GRAPHS[name], np.random.default_rng(0), []
    expected = {}
    for k in range(70):
        one = lane(k, graph, in_pieces=False)
        expected[k] = joined(alone(one, graph)), state_of(one)
    monkeypatch.setattr(lane_arrays, "CHUNK", 16)  # many chunks in a short text
    tried, waiting = Batch(7, graph), list(range(70))
    while waiting or tried.left:
        while waiting and len(tried.left) < 7 and rng.random() < 0.7:
            k = waiting.pop()
            kept.append((k, lane(k, graph)))
            tried.join(kept[-1][1])
        if tried.left and rng.random() < 0.02:
            gone = list(tried.left)[int(rng.integers(len(tried.left)))]
            tried.leave(gone)
            kept = [(k, one) for k, one in kept if one is not gone]
        tried.check()
        tried.step(Level(int(rng.integers(2))), int(rng.integers(1, 17)))
        tried.check()
    for k, one in kept:
        assert (joined(tried.deliveries[one]), state_of(one)) == expected[k], k
    assert len(kept) > 50


def test_a_text_ends_where_the_plain_rules_say() -> None:
    """Stop strings, the end symbol, the least and the most characters, in texts drawn without them."""
    graph = GRAPHS["lines"]
    for k in range(70):
        one = lane(k, graph)
        deliveries = alone(one, graph)
        ids, logprobs, finish, num_stop, *_ = joined(deliveries)
        assert isinstance(ids, list)
        assert all(d.finish is None and d.num_stop == 0 and d.distribution is None for d in deliveries[:-1])
        assert ids[: len(one.given)] == one.given.tolist()
        drawn = ids[len(one.given) :]
        s = one.sampling
        if s is None or not s.reports_drawn_logprobs:
            assert logprobs == symbol_logprobs(graph, [np.array(ids, dtype=np.int64)])[0].tolist()
        if s is None:
            assert (drawn, finish, num_stop) == ([], FinishReason.GIVEN, 0)
            continue
        found = [
            (at, len(stop), stop)
            for at in range(1, len(drawn) + 1)
            for stop in ((graph.vocabulary.end_id,), *s.stop)
            if tuple(drawn[:at][-len(stop) :]) == stop and at - len(stop) >= s.min_chars * (stop in s.stop)
        ]
        if found:
            at, length, stop = found[0]
            assert (at, finish) == (len(drawn), FinishReason.STOP), k
            assert num_stop == (0 if s.includes_stop and stop != (graph.vocabulary.end_id,) else length)
        elif s.automaton is not None and k % 2:
            assert (len(drawn), finish, num_stop) == (2, FinishReason.STOP, 0)
        elif s.automaton is not None and s.max_chars % 2:  # no pair ends with the last character
            assert (len(drawn), finish, num_stop) == (s.max_chars - 1, FinishReason.STOP, 0)
        else:
            assert (len(drawn), finish, num_stop) == (s.max_chars, FinishReason.LENGTH, 0)


def drawn_text(k: int) -> Lane:
    return Lane(some_ids(3, seed=k), sampling=Sampling(60, k, chars_per_delivery=4, seconds_per_delivery=5.0))


@pytest.mark.parametrize("changes", [{}, {"num_top": 1}, {"keeps_state": True}])
def test_a_stream_delivers_when_there_is_enough_or_time_is_up(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int]
) -> None:
    now, rng, tried = [0.0], np.random.default_rng(1), Batch(3)
    monkeypatch.setattr("nextchar.engine.lane_batch.time.monotonic", lambda: now[0])
    lanes = [drawn_text(k) for k in range(3)]
    for each in lanes:
        for name, value in changes.items():
            setattr(each, name, value)
        tried.join(each)
    taken, due, expected = 0, UNLIMITED, []
    for passed in range(1, 3 + 60 + 1):
        now[0] += float(rng.choice([0.0, 1.0, 3.0]))
        tried.step(Level.SAMPLING, 1)
        if passed == 4 or passed == 63 or (passed > 4 and (passed - taken >= 4 or now[0] >= due)):
            expected.append(passed - taken)
            taken, due = passed, now[0] + 5.0
    assert len(set(expected[1:-1])) > 2  # some were full, some out of time
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
    monkeypatch.setattr("nextchar.engine.lane_batch.time.monotonic", lambda: now[0])
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


def test_a_failure_ends_every_lane_and_leaves_an_empty_batch() -> None:
    tried, error = Batch(8), InternalError("broken")
    lanes = [lane(k, GRAPH) for k in (1, 4, 6, 10, 11, 18)]
    for each in lanes:
        tried.join(each)
    outbox = tried.batch.fail(error)
    assert {work for work, _ in outbox} == set(lanes)
    assert all(delivery.error is error for _, delivery in outbox)
    assert (tried.batch.lanes, tried.batch.num_interactive) == ([], 0)
    arrays = tried.batch._arrays
    counts = (arrays.num_sampling, arrays.num_stopping, arrays.num_topped, arrays.num_timed)
    assert counts == (0, 0, 0, 0)
    assert arrays.host_sampler.num_enabled == arrays.host_sampler.masks.num_patterns == 0


def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a second pass with every look at the clock."""
    clock: Callable[[], int] = count(1).__next__
    monkeypatch.setattr("nextchar.engine.lane_batch.time.perf_counter", lambda: float(clock()))


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
