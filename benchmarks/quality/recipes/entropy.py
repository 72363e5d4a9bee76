"""Computes the Shannon entropy of the characters of strings."""

import math
from collections import Counter

import numpy as np

from benchmarks.quality.recipes.trial import Answer


def entropy_bits(string: str) -> float:
    """Returns the entropy of a string's own characters, in bits per character."""
    return -sum(n / len(string) * math.log2(n / len(string)) for n in Counter(string).values())


def entropies(strings: list[str]) -> Answer:
    """Returns the entropy of each string."""
    return Answer(np.array([entropy_bits(string) for string in strings]))
