"""Mixes the inputs of a step by weights, and moves the weights: what must be done character by character.

The sums over all symbols are products of one lane's matrix by a vector, which a library of linear algebra
does for each lane by itself, in an order that the number of symbols decides. Not so where they are few or
many: there NumPy sums them. Of few, such a library tells a matrix whose rows touch from another, and products
of many it shares out among threads, whose number would decide the bits.
"""

import numpy as np

from nextchar.engine.adaptive.options import NUM_ORDERS
from nextchar.model.graph import Floats
from nextchar.model.vocabulary import Ids

GRID = 4096
_STEP = np.array(1 / GRID, dtype=np.float32)
NUM_INPUTS = 1 + NUM_ORDERS  # the network and the orders
NUM_WEIGHTS = NUM_INPUTS + 1  # and the bias of the top symbol
_MAX_WEIGHT = np.array(32_000.0, dtype=np.float32)  # in 1 / GRID: about 8
_MIN_WEIGHT = -_MAX_WEIGHT
_MIN_PRODUCT_SYMBOLS, _MAX_PRODUCT_SYMBOLS = 32, 1024


class StepMixer:
    """Holds the arrays of the steps of a block, and mixes and learns one step at a time.

    `scores` [steps, n, symbols] are the exponents of the mixture, less the largest; `totals` [steps, n] the
    sums of what they are exponents of. `rates` and `aims` [N, NUM_WEIGHTS] are of the symbols that come.
    """

    def __init__(self, inputs: Floats, num_steps: int, n: int) -> None:
        num_symbols = inputs.shape[2]
        in_steps = inputs.reshape(NUM_WEIGHTS + 1, num_steps, n, num_symbols).transpose(1, 2, 0, 3)
        self._inputs = list(in_steps)  # of each step [n, NUM_WEIGHTS + 1, symbols], in place
        self._weighed = list(in_steps[:, :, :NUM_WEIGHTS])
        self.scores: Floats = np.zeros((num_steps, n, num_symbols), dtype=np.float32)
        self._each_scores = list(self.scores)
        self._scores_out = list(self.scores[:, :, None])
        # Sums over the symbols, weighed by their odds: of each input, then of 1.
        sums: Floats = np.zeros((num_steps, n, NUM_WEIGHTS + 1, 1), dtype=np.float32)
        self._sums = list(sums)
        self.totals = sums[:, :, NUM_WEIGHTS, 0]
        self._expected, self._each_total = list(sums[:, :, :NUM_WEIGHTS, 0]), list(sums[:, :, NUM_WEIGHTS])
        self.rates: Floats = np.zeros((num_steps * n, NUM_WEIGHTS), dtype=np.float32)
        self.aims: Floats = np.zeros_like(self.rates)
        self._bounds = [slice(t * n, (t + 1) * n) for t in range(num_steps)]
        self._old: Floats = np.zeros((4, n, NUM_WEIGHTS), dtype=np.float32)
        self._new: Floats = np.zeros_like(self._old)
        self._change: Floats = np.zeros((n, NUM_WEIGHTS), dtype=np.float32)
        self._mix: Floats = np.zeros((n, NUM_WEIGHTS), dtype=np.float32)
        self._factors = self._mix[:, None]
        self._most: Floats = np.zeros((n, 1), dtype=np.float32)
        self._odds: Floats = np.zeros((n, num_symbols), dtype=np.float32)
        self._odds_column = self._odds[:, :, None]
        by_library = _MIN_PRODUCT_SYMBOLS <= num_symbols <= _MAX_PRODUCT_SYMBOLS
        self._product = _product if by_library else _summed_product

    def mix(self, step: int, weights: Floats, rows: Ids) -> None:
        """Mixes the inputs of a step by rows [4, n] of the weights."""
        scores = self._each_scores[step]
        weights.take(rows, 0, self._old, "clip")
        np.add.reduce(self._old, 0, out=self._mix)
        np.multiply(self._mix, _STEP, self._mix)
        self._product(self._factors, self._weighed[step], self._scores_out[step])
        np.maximum.reduce(scores, 1, out=self._most, keepdims=True)
        np.subtract(scores, self._most, scores)
        np.exp(scores, self._odds)
        self._product(self._inputs[step], self._odds_column, self._sums[step])

    def learn(self, step: int) -> Floats:
        """Returns what the rows [4, n, NUM_WEIGHTS] of the last `mix` are after the symbols of its step."""
        change, new, bounds = self._change, self._new, self._bounds[step]
        np.divide(self._expected[step], self._each_total[step], change)
        np.multiply(change, self.rates[bounds], change)
        np.subtract(self.aims[bounds], change, change)
        np.add(self._old, change, new)
        np.floor(new, new)
        np.minimum(new, _MAX_WEIGHT, out=new)
        np.maximum(new, _MIN_WEIGHT, out=new)
        return new


def _product(one: Floats, other: Floats, out: Floats) -> None:
    np.matmul(one, other, out)


def _summed_product(one: Floats, other: Floats, out: Floats) -> None:
    """Does what `_product` does, of a row or a column and a matrix, in an order of its own."""
    if one.shape[1] == 1:
        np.add.reduce(one.swapaxes(1, 2) * other, 1, out=out[:, 0])
    else:
        np.add.reduce(one * other.swapaxes(1, 2), 2, out=out[:, :, 0])
