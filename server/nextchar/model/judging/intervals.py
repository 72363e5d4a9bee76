"""Computes intervals for a share of which k in n were seen (Clopper and Pearson 1934)."""

import math
from functools import lru_cache

import numpy as np

from nextchar.model.surprise.curves import Doubles

CONFIDENCE = 0.95
_MAX_STEPS, _PRECISION = 60, 1e-10


@lru_cache(maxsize=1024)  # requests ask for the same few rates
def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """Returns the exact interval of a share at `CONFIDENCE`, from k of n strings.

    The share of all normal strings beyond the k-th highest of n scores lies in it, whatever the distribution
    of scores is: it is Beta(k, n - k + 1) distributed (Wilks 1941), whose quantiles these are.
    """
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if k == 0 else _solve(n, k, 1 - tail)
    high = 1.0 if k == n else _solve(n, k + 1, tail)
    return low, high


def _solve(n: int, k: int, wanted: float) -> float:
    """Returns the share x at which fewer than k of n are seen with probability `wanted`.

    Newton's method, and halves of the interval where that leads out of it.
    """
    logs = _log_choose(n, k)
    low, high, x = 0.0, 1.0, (k - 0.5) / n
    for _ in range(_MAX_STEPS):
        excess = _below(logs, n, x) - wanted
        low, high = (x, high) if excess > 0 else (low, x)
        slope = (n - k + 1) * math.exp(float(logs[-1]) + (k - 1) * math.log(x) + (n - k) * math.log1p(-x))
        step = excess / slope if slope else math.inf
        following = x + step if low <= x + step <= high else (low + high) / 2
        if abs(following - x) <= _PRECISION * x:
            return following
        x = following
    return x


def _log_choose(n: int, k: int) -> Doubles:
    """Returns the logarithms of n over j, for j below k."""
    j = np.arange(1, k)
    return np.concatenate([[0.0], np.cumsum(np.log((n - j + 1) / j))])


def _below(log_choose: Doubles, n: int, share: float) -> float:
    """Returns the probability that fewer than len(log_choose) of n are seen."""
    j = np.arange(len(log_choose))
    return float(np.exp(log_choose + j * math.log(share) + (n - j) * math.log1p(-share)).sum())
