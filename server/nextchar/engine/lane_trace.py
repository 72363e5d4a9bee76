"""Keeps what a lane holds after each of its given characters: its states, its distributions."""

from collections.abc import Mapping

import numpy as np

from nextchar.engine.sampler import Doubles
from nextchar.model.graph import StateArray


class LaneTrace:
    """Grows by one entry per step of its lane, which the graph then advances one character at a time.

    Entry k is what the lane holds after k given characters; a lane of n that wants a distribution has n + 1.
    The engine writes it until the last delivery, and nobody reads it before.
    """

    def __init__(self, *, states: bool = False, distributions: bool = False) -> None:
        self.wants_states, self.wants_distributions = states, distributions
        self.states: list[Mapping[str, StateArray]] = []  # by input name, each [size]
        self.distributions: list[Doubles] = []  # log-probabilities [num_outputs] of the next symbol
        self.model_distributions: list[Doubles] = []  # the network's own, of an adaptive lane

    def add_distribution(self, distribution: Doubles, own: Doubles | None) -> None:
        """Adds log-probabilities [num_outputs], and the network's own if they are a mixture."""
        self.distributions.append(distribution.astype(np.float64))
        if own is not None:
            self.model_distributions.append(own)
