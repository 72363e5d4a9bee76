"""Several engines over one graph: which one runs something changes nothing."""

import time
from typing import Any

import pytest
from support.engine_lanes import GRAPH, VOCABULARY, Gate, Inbox, deliver, endless, make_trie, run, some_ids

from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.options import EngineOptions
from nextchar.engine.turns.core_share import CoreShare
from nextchar.engine.work import Work
from nextchar.errors import QueueFull
from nextchar.repository.engine_pool import EnginePool


def pool(num_threads: int, **options: Any) -> EnginePool:
    made = EngineOptions(
        **{"max_lanes": 8, "reserved_lanes": 1, "max_bulk_lanes": 8, "max_waiting": 100} | options
    )
    return EnginePool(GRAPH, made, num_threads=num_threads, deliver=deliver)


def test_while_requests_are_live_a_spare_engine_gets_a_fifth_of_other_work_and_takes_them_last() -> None:
    share = CoreShare(2)
    share.take(time.perf_counter() + 3600)  # of a whole hour from now on
    with pool(2, share=share, max_lanes=40) as engines:
        assert engines.num_parts == 1
        live = [Lane(some_ids(9), wants_distribution=True) for _ in range(2)]
        texts = [endless(Inbox()) for _ in range(20)]
        for work in [*live[:1], *texts]:
            engines.submit([work])
        engines.submit(live[1:])
        assert live[0].engine == 0
        assert sum(work.engine for work in texts) in (3, 4, 5)
        engines.cancel(texts)


def test_without_live_requests_engines_are_alike() -> None:
    with pool(2, share=CoreShare(2)) as engines:
        assert engines.num_parts == 2
        texts = [endless(Inbox()) for _ in range(8)]
        engines.submit(texts)
        assert sum(work.engine for work in texts) == 4
        engines.cancel(texts)


def test_a_spare_engine_serves_a_request_of_its_own_without_making_way() -> None:
    share, inboxes = CoreShare(2), [Inbox() for _ in range(6)]
    with pool(2, share=share) as engines:
        lanes = [
            Lane(some_ids(40, seed=i), wants_distribution=True, receiver=inbox)
            for i, inbox in enumerate(inboxes)
        ]
        engines.submit(lanes)
        for inbox in inboxes:
            inbox.wait()
    assert {lane.engine for lane in lanes} == {0, 1}


def some_work() -> list[Work]:
    strings = [[some_ids(i % 9, seed=i) for i in range(first, first + 10)] for first in range(3)]
    return [
        *(Lane(some_ids(i % 7, seed=i), sampling=Sampling(40, i, 0.9)) for i in range(20)),
        *(Lane(some_ids(i, seed=i), wants_distribution=True) for i in range(10)),
        *(ScoreJob(make_trie(part, VOCABULARY.begin_id, some_ids(4))) for part in strings),
    ]


@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_byte(num_threads: int) -> None:
    alone = [run([work])[0].bytes() for work in some_work()]
    works, inboxes = some_work(), [Inbox() for _ in some_work()]
    for work, inbox in zip(works, inboxes, strict=True):
        work.receiver = inbox
    with pool(num_threads) as engines:
        engines.submit(works)
        for inbox in inboxes:
            inbox.wait()
        assert {work.engine for work in works} == set(range(num_threads))
        assert sum(stats.batch_size.count for stats in engines.stats) > 0
    assert [inbox.bytes() for inbox in inboxes] == alone


def test_work_goes_where_least_is_and_is_cancelled_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    with pool(2) as engines:
        works = [endless(Inbox()) for _ in range(4)]
        for work in works:
            engines.submit([work])
        assert sorted(work.engine for work in works) == [0, 0, 1, 1]
        for _ in range(2):  # both engines are in a call
            gate.reached()
        engines.cancel(works)
        gate.open()
        inbox = Inbox()
        engines.submit([Lane(some_ids(3), receiver=inbox)])
        inbox.wait()
    assert all(work.receiver.deliveries == [] for work in works)  # type: ignore[attr-defined]


def test_a_request_that_does_not_fit_runs_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    with pool(2, max_lanes=1, reserved_lanes=0, max_waiting=3) as engines:
        works = [endless(Inbox()) for _ in range(9)]
        with pytest.raises(QueueFull):
            engines.submit(works)
        gate.open()
        inbox = Inbox()
        engines.submit([Lane(some_ids(3), receiver=inbox)])
        inbox.wait()
        assert engines.num_waiting == 0
