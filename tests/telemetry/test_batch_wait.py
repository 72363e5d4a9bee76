"""The wait for the next call of the graph is that of rows: while a level has none, nobody waits."""

import pytest
from engine.estimates.engine_clocks import StepClock
from support.engine_lanes import VOCABULARY, Inbox, engine, make_trie, some_ids

from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.work import Level, Work

STEP_SECONDS, IDLE_SECONDS = 0.25, 7.0


def work(level: Level, inbox: Inbox) -> Work:
    if level is Level.BULK:
        return ScoreJob(make_trie([some_ids(5)], VOCABULARY.begin_id, some_ids(0)), receiver=inbox)
    sampling = Sampling(5, 1) if level is Level.SAMPLING else None
    return Lane(some_ids(5), receiver=inbox, sampling=sampling)


@pytest.mark.parametrize("level", Level)
def test_what_joins_an_idle_engine_has_not_waited(monkeypatch: pytest.MonkeyPatch, level: Level) -> None:
    clock = StepClock(monkeypatch, STEP_SECONDS)
    with engine() as e:
        for _ in range(3):
            inbox = Inbox()
            e.submit([work(level, inbox)])
            inbox.wait()
            clock.idle(IDLE_SECONDS)
        found = e.stats.wait_seconds[level]
    assert found.count >= 3
    assert found.sum == 0
