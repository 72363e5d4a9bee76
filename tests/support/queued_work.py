"""Makes small work and the queues it waits in, for tests."""

import numpy as np
from support.engine_lanes import make_trie

from nextchar.engine.lane import Lane, Sampling, ScoreJob
from nextchar.engine.scheduler import Scheduler
from nextchar.engine.work import UNLIMITED

NOTHING = np.empty(0, dtype=np.int64)


def interactive(deadline: float = UNLIMITED, priority: int = 0) -> Lane:
    return Lane(np.zeros(1, dtype=np.int64), deadline=deadline, priority=priority)


def sampling(priority: int = 0) -> Lane:
    return Lane(NOTHING, sampling=Sampling(10, 1), priority=priority)


def job(num_strings: int = 1, deadline: float = UNLIMITED) -> ScoreJob:
    return ScoreJob(make_trie([NOTHING] * num_strings, 9, NOTHING), deadline=deadline)


def scheduler(
    max_lanes: int = 4, max_sampling: int = 4, max_waiting: int = 100, max_wait_seconds: float = UNLIMITED
) -> Scheduler:
    return Scheduler(
        max_lanes=max_lanes,
        max_sampling=max_sampling,
        max_jobs=2,
        max_waiting=max_waiting,
        max_wait_seconds=max_wait_seconds,
    )
