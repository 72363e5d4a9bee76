"""Jobs read every node once, the shortest first, and what is left of them is known at any time."""

import numpy as np
import pytest
from support.engine_lanes import GRAPH, VOCABULARY, make_trie, some_ids
from support.replacing import replace_in

from nextchar.engine import score_batch
from nextchar.engine.lane import Lane, ScoreJob
from nextchar.engine.score_batch import ScoreBatch
from nextchar.engine.trie_walk import BranchQueue
from nextchar.engine.work import UNLIMITED, FinishReason, Outbox
from nextchar.errors import DeadlineExceeded, InternalError
from nextchar.model.golden import symbol_logprobs
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

NO_CONTEXT = some_ids(0)


def job(num_strings: int, length: int = 9, seed: int = 0, deadline: float = UNLIMITED) -> ScoreJob:
    rng = np.random.default_rng(seed)
    strings = [rng.integers(0, 3, rng.integers(0, length + 1)) for _ in range(num_strings)]
    return ScoreJob(make_trie(strings, VOCABULARY.begin_id, NO_CONTEXT), deadline=deadline)


def batch(max_lanes: int = 8) -> ScoreBatch:
    return ScoreBatch(StepRunner(GRAPH, max_lanes, 16), EngineStats())


@pytest.mark.parametrize("max_steps", [1, 4, 16])
def test_what_is_done_and_what_is_left_are_together_what_has_joined(max_steps: int) -> None:
    rng, bulk, joined = np.random.default_rng(max_steps), batch(), 0
    running: list[ScoreJob] = []
    for turn in range(120):
        if len(running) < 4 and rng.random() < 0.3:
            running.append(job(int(rng.integers(1, 60)), seed=turn))
            bulk.join(running[-1], float(turn))
            assert running[-1].joined == turn
            joined += running[-1].num_steps
        if running and rng.random() < 0.05:
            bulk.leave(running.pop(int(rng.integers(len(running)))))
        before = bulk.num_left
        ended = bulk.step(max_steps)
        assert bulk.num_steps <= max_steps
        assert bulk.num_done + bulk.num_left == joined
        assert bool(before) <= before - bulk.num_left <= 8 * bulk.num_steps
        for work, delivery in ended:
            assert (delivery.finish, delivery.ids.tolist()) == (
                FinishReason.GIVEN,
                [],
            )
            running = [each for each in running if each is not work]
        assert bulk.num_jobs == len(running)
    while bulk.num_jobs:
        bulk.step(max_steps)
    assert (bulk.num_left, bulk.num_rows, bulk.num_kept_states) == (0, 0, 0)
    assert bulk.num_done == joined


def test_a_job_that_leaves_takes_nothing_of_the_others_with_it() -> None:
    bulk, jobs = batch(5), [job(40, seed=seed) for seed in range(5)]
    for each in jobs:
        bulk.join(each, 0.0)
    for _ in range(3):
        bulk.step(4)
    for dropped in (jobs[1], jobs[3]):
        bulk.leave(dropped)
        bulk.leave(dropped)  # it is not there any more
        bulk.step(4)
    bulk.leave(Lane(some_ids(3)))
    found: Outbox = []
    while bulk.num_jobs:
        found += bulk.step(4)
    assert {id(work) for work, _ in found} == {id(jobs[k]) for k in (0, 2, 4)}
    for work, delivery in found:
        assert isinstance(work, ScoreJob)
        alone = batch(1)
        alone.join(ScoreJob(work.trie), 0.0)
        expected: Outbox = []
        while not expected:
            expected = alone.step(1)
        assert delivery.logprobs.tolist() == expected[0][1].logprobs.tolist()


def test_the_job_with_the_least_left_goes_first_in_all_rows() -> None:
    bulk, long, short = batch(4), job(200, length=20), job(3)
    bulk.join(long, 0.0)
    bulk.step(1)
    bulk.join(short, 0.0)
    calls = 0
    while bulk.num_jobs == 2:
        bulk.step(1)
        calls += 1
    assert calls < 50  # the long one alone takes hundreds
    assert bulk.num_left > long.num_steps / 2


def test_a_job_past_its_deadline_ends_with_an_error_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    replace_in(monkeypatch, score_batch, "time", monotonic=lambda: now[0])
    bulk, jobs = batch(), [job(300, seed=k, deadline=d) for k, d in enumerate((30.0, 10.0, UNLIMITED, 20.0))]
    for each in jobs:
        bulk.join(each, 0.0)
    for now[0], late in (
        (9.9, []),
        (10.0, [jobs[1]]),
        (19.9, []),
        (25.0, [jobs[3]]),
        (40.0, [jobs[0]]),
        (1e9, []),
    ):
        outbox = bulk.step(1)
        assert [work for work, _ in outbox] == late
        assert all(isinstance(delivery.error, DeadlineExceeded) for _, delivery in outbox)
    assert bulk.num_jobs == 1


def test_a_failure_ends_every_job_and_keeps_nothing() -> None:
    bulk, jobs, error = batch(), [job(90, seed=seed) for seed in range(3)], InternalError("broken")
    for each in jobs:
        bulk.join(each, 0.0)
    bulk.step(1)
    bulk.step(1)
    assert bulk.num_kept_states > 0
    outbox = bulk.fail(error)
    assert [(work, delivery.error) for work, delivery in outbox] == [(each, error) for each in jobs]
    assert (bulk.num_jobs, bulk.num_rows, bulk.num_kept_states, bulk.num_left) == (0, 0, 0, 0)


def test_a_call_has_as_many_steps_as_every_row_can_read_on_and_is_counted() -> None:
    stats, ids = EngineStats(), some_ids(13)
    bulk = ScoreBatch(StepRunner(GRAPH, 4, 16), stats)
    bulk.join(ScoreJob(make_trie([ids], VOCABULARY.begin_id, NO_CONTEXT)), 0.0)
    calls, outbox = [], Outbox()
    while not outbox:
        outbox = bulk.step(8)
        calls.append(bulk.num_steps)
    assert calls == [8, 4, 1]
    assert (stats.batch_size.count, stats.batch_size.sum) == (13, 13)
    assert outbox[0][1].logprobs[1:].tolist() == symbol_logprobs(GRAPH, [ids])[0].tolist()
    assert bulk.step(8) == []
    assert stats.batch_size.count == 13  # there was nothing to read


def test_of_equal_branches_those_added_last_go_first_each_group_in_its_order() -> None:
    rng, queue = np.random.default_rng(0), BranchQueue()
    groups: dict[int, list[list[int]]] = {}
    for first in range(0, 600, 200):  # so many that an unstable sort would show
        nodes, reads = np.arange(first, first + 200), rng.integers(1, 5, 200)
        queue.add(nodes, nodes + 1000, reads)
        for key in range(1, 5):
            groups.setdefault(key, []).append(nodes[reads == key].tolist())
    expected = [node for key in (4, 3, 2, 1) for group in reversed(groups[key]) for node in group]
    found: list[int] = []
    while len(queue):
        nodes, slots = queue.take(min(7, len(queue)))
        assert slots.tolist() == (nodes + 1000).tolist()
        found += nodes.tolist()
    assert found == expected
    assert [part.tolist() for part in queue.take(0)] == [[], []]
