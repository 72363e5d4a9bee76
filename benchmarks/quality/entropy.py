"""Computes the Shannon entropy of the characters of strings."""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def entropies(strings: Iterable[str]) -> NDArray[np.float64]:
    """Returns the entropy of each string's characters, in bits, as if drawn from their own frequencies."""
    return np.array([_entropy(string) for string in strings])


def _entropy(string: str) -> float:
    return -sum(n / len(string) * math.log2(n / len(string)) for n in Counter(string).values())
