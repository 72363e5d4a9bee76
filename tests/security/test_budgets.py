import pytest

from nextchar.errors import InvalidRequest, RateLimited
from nextchar.security.budgets import Allowance, Budget, TokenBucket


def test_a_bucket_gives_its_rate_and_one_second_at_once() -> None:
    bucket = TokenBucket(10.0)
    assert [bucket.take(1, 0.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1, 0.0) == pytest.approx(0.1)
    assert bucket.take(1, 0.1) == 0.0
    assert sum(bucket.take(1, t / 100) == 0.0 for t in range(11, 1011)) == pytest.approx(100, abs=1)


def test_what_is_larger_than_a_bucket_is_taken_and_paid_for_later() -> None:
    bucket = TokenBucket(10.0)
    assert bucket.take(30, 0.0) == 0.0
    assert bucket.take(1, 0.0) == pytest.approx(2.1)
    assert bucket.take(1, 2.0) == pytest.approx(0.1)
    assert bucket.take(1, 2.11) == 0.0


def test_the_wait_that_is_told_is_enough() -> None:
    bucket, now = TokenBucket(3.0), 0.0
    for _ in range(50):
        wait = bucket.take(2, now)
        if wait:
            assert bucket.take(2, now + wait * 0.9) > 0
            now += wait * 1.0001
            assert bucket.take(2, now) == 0.0


def test_lanes_are_counted_until_they_end() -> None:
    budget = Budget(Allowance(max_lanes=3), key_id="k")
    budget.begin_work(2, 10, 0.0)
    with pytest.raises(RateLimited, match=r"key k may have 3 lanes at a time \(2 are running\)"):
        budget.begin_work(2, 10, 0.0)
    with pytest.raises(InvalidRequest, match="needs 4 lanes"):
        budget.begin_work(4, 10, 0.0)
    budget.end_work(2, 0, 1.0)  # two in a second
    budget.begin_work(3, 10, 1.0)
    with pytest.raises(RateLimited) as caught:
        budget.begin_work(1, 10, 1.0)
    assert caught.value.retry_after_seconds == pytest.approx(0.5)


def test_characters_are_counted_before_they_are_read_and_given_back_if_they_are_not() -> None:
    budget = Budget(Allowance(chars_per_second=100))
    budget.begin_work(1, 500, 0.0)
    with pytest.raises(RateLimited) as caught:
        budget.begin_work(1, 1, 0.0)
    assert caught.value.retry_after_seconds == pytest.approx(4.01)
    budget.end_work(1, 500, 0.0)
    budget.begin_work(1, 1, 0.0)
    assert budget.num_lanes == 1


def test_without_an_allowance_there_is_no_end() -> None:
    budget = Budget(Allowance())
    for _ in range(1000):
        budget.begin_request(0.0)
        budget.begin_work(1000, 10**9, 0.0)
