"""What work says of itself, and what ends it."""

import numpy as np
import pytest
from support.engine_lanes import make_trie, some_ids

from nextchar.engine.lane import Lane, Penalties, Sampling, ScoreJob
from nextchar.engine.work import UNLIMITED, Delivery, FinishReason, Level, Work
from nextchar.errors import DeadlineExceeded, InternalError

JOB = ScoreJob(make_trie([some_ids(3), some_ids(5, seed=1)], 9, some_ids(2)))
WORKS = [Lane(some_ids(3)), Lane(some_ids(3), sampling=Sampling(4, 1)), JOB]


@pytest.mark.parametrize("work", WORKS)
def test_a_failure_is_an_empty_last_delivery_with_the_error(work: Work) -> None:
    error = InternalError("broken")
    delivery = work.failed(error)
    assert delivery.error is error
    assert delivery.last
    assert delivery.finish is None
    assert (delivery.ids.tolist(), delivery.logprobs.tolist()) == ([], [])
    assert (delivery.ids.dtype, delivery.logprobs.dtype) == (np.int64, np.float64)


@pytest.mark.parametrize("work", WORKS)
def test_work_past_its_deadline_is_told_to_take_more_time(work: Work) -> None:
    error = work.timed_out().error
    assert isinstance(error, DeadlineExceeded)
    assert "set a longer timeout" in error.message


def test_a_delivery_is_the_last_if_it_has_a_reason_or_an_error() -> None:
    empty = np.empty(0, dtype=np.int64), np.empty(0)
    assert not Delivery(*empty).last
    assert Delivery(*empty, finish=FinishReason.LENGTH).last
    assert Delivery(*empty, error=InternalError("broken")).last


def test_what_has_no_receiver_is_not_delivered_silently() -> None:
    with pytest.raises(AssertionError, match="no receiver"):
        WORKS[0].receiver.receive(WORKS[0], WORKS[0].timed_out())


def test_work_has_a_level_and_takes_steps() -> None:
    assert [work.level for work in WORKS] == [Level.INTERACTIVE, Level.SAMPLING, Level.BULK]
    assert [work.num_strings for work in WORKS] == [1, 1, 2]
    assert [work.num_steps for work in WORKS] == [3, 3 + 4, int(JOB.trie.must_read.sum())]
    assert Lane(some_ids(3), wants_distribution=True).num_steps == 4


@pytest.mark.parametrize(
    ("changes", "needs_host"),
    [
        ({}, False),
        ({"temperature": 0.5}, False),
        ({"stop": ((1,),), "end_ids": (1,), "seconds_per_delivery": UNLIMITED}, False),
        ({"top_k": 1}, True),
        ({"top_p": 0.99}, True),
        ({"min_p": 0.01}, True),
        ({"top_k": 1, "top_p": 0.5, "min_p": 0.5, "temperature": 0.0}, False),  # the largest stays
        ({"bias": ((1, 0.0),)}, True),
        ({"min_chars": 1}, True),
        ({"reports_drawn_logprobs": True}, True),
        ({"penalties": Penalties(presence=0.1)}, True),
        ({"penalties": Penalties(frequency=0.1)}, True),
        ({"penalties": Penalties(repetition=1.1)}, True),
    ],
)
def test_draws_need_the_host_for_more_than_a_temperature(
    changes: dict[str, object], needs_host: bool
) -> None:
    assert Sampling(4, 1, **changes).needs_host is needs_host  # type: ignore[arg-type]


def test_a_stop_string_counts_only_where_all_of_it_is_drawn_after_the_least_characters() -> None:
    sampling = Sampling(9, 1, stop=((1, 2, 3), (3,)), min_chars=2)
    assert sampling.max_stop == 3
    assert sampling.matched_stop([0, 1, 2, 3], 5) == 3
    assert sampling.matched_stop([0, 1, 2, 3], 4) == 1  # the first two are not to be stopped at
    assert sampling.matched_stop([3], 2) == 0
    assert sampling.matched_stop([3], 3) == 1
    assert sampling.matched_stop([3, 0], 9) == 0
    assert Sampling(9, 1).max_stop == 0
