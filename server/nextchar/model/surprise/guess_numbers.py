"""Estimates how many guesses a string withstands from one who guesses the model's likeliest strings first.

Nobody can list 10^15 strings in order, but the model can be sampled. Of n strings drawn from it, one of
probability p stands for 1 / (n p) strings like it. So the number of strings likelier than a given one is
estimated by the sum of 1 / (n p_i) over the samples that are likelier (M. Dell'Amico and M. Filippone,
Monte Carlo strength evaluation: fast and reliable password checking, CCS 2015). The estimate has no bias, and
its error falls with the square root of n.
"""

import math

import numpy as np

from nextchar.errors import InvalidRequest
from nextchar.model.surprise.curves import Doubles

NUM_SAMPLES = 10_000
_LN10 = math.log(10)


class GuessNumbers:
    """The guess number as a function of a string's log-probability, from samples of the model."""

    def __init__(self, sample_logprobs: Doubles) -> None:
        """Takes the log-probabilities of strings drawn from the model, float64 [n], each with its end.

        Raises:
            InvalidRequest: there is no sample, or one is not finite.
        """
        if not len(sample_logprobs) or not np.isfinite(sample_logprobs).all():
            raise InvalidRequest("guess numbers need samples of the model, each of a finite log-probability")
        rising = np.sort(np.asarray(sample_logprobs, dtype=np.float64))
        self._rising, falling = rising, rising[::-1]
        self._likelier = np.logaddexp.accumulate(-falling - math.log(len(rising)))

    @property
    def finest_logprob(self) -> float:
        """The log-probability of the least likely sample: a string below has at least the guesses told."""
        return float(self._rising[0])

    def log10_of(self, logprobs: Doubles) -> Doubles:
        """Returns the logarithm to base 10 of the guess numbers of strings [n]; 0 is the first guess.

        Args:
            logprobs: The log-probabilities of the strings, each with its end, in nats.
        """
        num_likelier = len(self._rising) - np.searchsorted(self._rising, logprobs, side="right")
        before = np.concatenate([[-np.inf], self._likelier])[num_likelier]
        found: Doubles = np.logaddexp(before, 0.0) / _LN10
        return found
