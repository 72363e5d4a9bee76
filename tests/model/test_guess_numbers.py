"""A guess number is how many strings of the model are likelier, estimated from samples."""

import numpy as np
import pytest

from nextchar.errors import InvalidRequest
from nextchar.model.surprise.guess_numbers import GuessNumbers


def test_the_estimate_is_the_number_of_likelier_strings_and_itself() -> None:
    chances = 1.0 / np.arange(1, 1001)
    logprobs = np.log(chances / chances.sum())
    drawn = np.random.default_rng(1).choice(1000, size=200_000, p=np.exp(logprobs))
    found = 10 ** GuessNumbers(logprobs[drawn]).log10_of(logprobs)
    assert found == pytest.approx(np.arange(1, 1001), rel=0.05)


def test_the_likeliest_string_is_the_first_guess() -> None:
    numbers = GuessNumbers(np.array([-3.0, -1.0, -2.0, -1.0]))
    assert numbers.log10_of(np.array([-0.5, -1.0])).tolist() == [0.0, 0.0]


def test_a_less_likely_string_never_takes_fewer_guesses() -> None:
    chance = np.random.default_rng(2)
    numbers = GuessNumbers(-chance.gamma(4.0, 5.0, size=1000))
    found = numbers.log10_of(-np.linspace(0, 300, 1000))
    assert (np.diff(found) >= 0).all()


def test_beyond_the_samples_there_is_a_lower_bound() -> None:
    numbers = GuessNumbers(np.array([-800.0, -1000.0]))
    below = numbers.log10_of(np.array([numbers.finest_logprob - 1, -np.inf]))
    assert below == pytest.approx((1000 - np.log(2)) / np.log(10))


@pytest.mark.parametrize("samples", [np.empty(0), np.array([-1.0, -np.inf]), np.array([np.nan])])
def test_samples_that_say_nothing_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match="samples"):
        GuessNumbers(samples)
