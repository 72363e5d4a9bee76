"""Mixes the network's distribution with what followed the same contexts before, and learns how.

**Counts.** For each order k, n_k(s) is the number of times that symbol s followed the current context of k
symbols, of the last `WAYS` times; an older one weighs less by `RECENCY` (the cache of Kuhn & De Mori 1990 and
Grave et al., "Improving Neural Language Models with a Continuous Cache", 2017, with contexts for keys). They
are interpolated from short to long with absolute discounting (Ney, Essen & Kneser 1994), and below the
shortest stands the network, as in the mixtures of Mikolov et al. (2011):

    p_k(s) = (n_k(s) - min(n_k(s), D) + λ_k p_{k-1}(s)) / N_k,  λ_k = Σ_s min(n_k(s), D),  p_0 = the network

**Mix.** p(s) ∝ exp(Σ_i w_i x_i(s) + b [s = top]), with x_i the log-probabilities of the network and of each
order, not below `FLOOR`, and `top` the symbol that followed the longest context found most often. This is
the logistic mixing of the PAQ compressors (Mahoney, "Adaptive Weighing of Context Models for Lossless Data
Compression", 2005) over all symbols at once. The weights are the sum of one row of each of four sets: one
chosen by the longest context found, how sure it is and whether the network's first guess is its own; one by
how sure the network is; one by the last symbol; one that is always used. After each symbol t they take a step
down the gradient of -log p(t): Δw_i = rate · (x_i(t) - Σ_s p(s) x_i(s)).

Weights are whole multiples of `1 / GRID`, so that 16 bits hold one and a stored weight is the live one. What
a step would round away is kept on average by a dither that the position decides.

Every operation works on each lane by itself, in an order that the number of symbols alone decides: a lane's
bits do not depend on the others. Float32 suffices: the network's are. Calls for one lane are mostly overhead
of NumPy's, so arrays are made once per number of lanes (`Workspace`), orders come first in their shapes, and
operations are few.
"""

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.contexts import SYMBOL_MASK, TAG_MASK, WAYS, Entries
from nextchar.engine.adaptive.options import NUM_ORDERS

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

DISCOUNT = np.float32(0.75)
RECENCY = 0.9
FLOOR = np.float32(-14.0)
_LEAST = np.exp(FLOOR)
GRID = 4096
_STEP = np.float32(1 / GRID)
NUM_INPUTS = 1 + NUM_ORDERS  # the network and the orders
NUM_WEIGHTS = NUM_INPUTS + 1  # and the bias of the top symbol
_FIRST_WEIGHTS = (0.7, *(0.1,) * NUM_ORDERS, 0.0)
_RATE, _BIAS_RATE, _EARLY, _EARLY_CHARS = 0.0005, 0.03, 4.0, 1000.0
_MAX_WEIGHT = 32_000.0  # in 1 / GRID: about 8
_GOLDEN_RATIO = 0.6180339887498949

# The sets of weights, one after the other: (longest order or none) x sureness x agreement, the network's
# sureness, the last symbol, and the one that is always used.
_SURENESS = 8
_CONTEXT_ROWS = (NUM_ORDERS + 1) * _SURENESS * 2
_NETWORK_BOUNDS = np.log(np.array([0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99])).astype(np.float32)
_LAST_ROWS = 64
_NETWORK_FIRST = _CONTEXT_ROWS
_LAST_FIRST = _NETWORK_FIRST + len(_NETWORK_BOUNDS) + 1
_ALWAYS = _LAST_FIRST + _LAST_ROWS
NUM_ROWS = _ALWAYS + 1

_WAY_WEIGHTS = RECENCY ** np.arange(WAYS)
# Of the top symbol: its share of the occurrences, or 1 + how many there are where it has all.
_SHARE_BOUNDS = np.array([1e-9, 0.5, 0.8, 1.0, 3.0, 5.0], dtype=np.float32)
_LEVELS = np.arange(1, NUM_ORDERS + 1)[:, None]


def first_weights() -> NDArray[np.int16]:
    """Returns the weights [NUM_ROWS, NUM_WEIGHTS] of a lane that has read nothing, in 1 / GRID."""
    weights = np.zeros((NUM_ROWS, NUM_WEIGHTS), dtype=np.int16)
    weights[_ALWAYS] = np.round(np.array(_FIRST_WEIGHTS) * GRID)
    return weights


class Workspace:
    """Holds the arrays of a step for n lanes, and what the last `mix` left in them.

    `entries` [orders, n, WAYS] are the rows of the contexts, to be filled before `mix`. `inputs`
    [NUM_INPUTS, n, symbols] and `probabilities` [n, symbols] are those of the mixture, `rows` [4, n] its rows
    of the weights and `weight_rows` [4, n] their places among those of all lanes. `top`
    [n] is the symbol that followed the longest context most, which has number `level` [n] - 1, if any.
    """

    def __init__(self, n: int, num_symbols: int) -> None:
        shape = (NUM_ORDERS, n, num_symbols)
        self.entries: Entries = np.zeros((NUM_ORDERS, n, WAYS), dtype=np.int64)
        self.inputs: Floats = np.zeros((NUM_INPUTS, n, num_symbols), dtype=np.float32)
        self.probabilities: Floats = np.zeros((n, num_symbols), dtype=np.float32)
        self.top: Indices = np.zeros(n, dtype=np.int64)
        self.level: Indices = np.zeros(n, dtype=np.int64)
        self.found: Flags = np.zeros(n, dtype=np.bool_)
        self.rows: Indices = np.full((4, n), _ALWAYS, dtype=np.int64)
        self.each = np.arange(n)
        self._network_input, self._order_inputs = self.inputs[0], self.inputs[1:]
        self._each_order = list(self._order_inputs)
        self._products: Floats = np.empty_like(self.inputs)
        self._counts: Floats = np.zeros(shape, dtype=np.float32)
        self._each_counts = list(self._counts)
        self._left: Floats = np.zeros(shape, dtype=np.float32)
        self._places = np.zeros_like(self.entries)
        self._flat_places = self._places.reshape(-1)
        self._live = np.zeros(self.entries.shape, dtype=np.bool_)
        self._late = np.zeros_like(self._live)
        self._weights = np.zeros(self.entries.shape)
        self._flat_weights = self._weights.reshape(-1)
        self.weight_rows = np.zeros_like(self.rows)
        self._old: Floats = np.zeros((4, n, NUM_WEIGHTS), dtype=np.float32)
        self._steps: Doubles = np.zeros((NUM_WEIGHTS, n))
        self._certainty: Doubles = np.zeros(n)
        self._offsets = (np.arange(NUM_ORDERS * n) * num_symbols).reshape(NUM_ORDERS, n, 1)
        self._shape, self._size = shape, NUM_ORDERS * n * num_symbols

    def mix(
        self,
        tags: Entries,
        floors: Entries,
        network: Floats,
        last: Indices,
        weights: Floats,
        first_weights: Indices,
    ) -> Floats:
        """Mixes what followed the contexts with the network's log-probabilities [n, symbols].

        `tags` [orders, n, 1] are what entries of the contexts hold of the hash, `floors` [orders, n, 1] the
        least entries that are remembered, `last` [n] the symbols before. `first_weights` [n] are where the
        NUM_ROWS rows of each lane begin in `weights` [all rows, NUM_WEIGHTS]. Returns the log-probabilities
        [n, symbols].
        """
        shares = self._count(tags, floors)
        below = np.exp(network)
        for share, counts, above in zip(shares, self._each_counts, self._each_order, strict=True):
            np.multiply(below, share, out=above)
            above += counts
            below = above
        np.maximum(self._order_inputs, _LEAST, out=self._order_inputs)
        np.log(self._order_inputs, out=self._order_inputs)
        np.maximum(network, FLOOR, out=self._network_input)
        self._choose_rows(network, last)
        np.add(self.rows, first_weights, out=self.weight_rows)
        self._old = weights.take(self.weight_rows, 0)  # [4, n, NUM_WEIGHTS]
        mix = np.add.reduce(self._old, axis=0) * _STEP  # [n, NUM_WEIGHTS]
        factors = mix.T
        np.multiply(self.inputs, factors[:NUM_INPUTS, :, None], out=self._products)
        scores: Floats = np.add.reduce(self._products, axis=0)
        scores[self.each, self.top] += factors[NUM_INPUTS] * self.found
        scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
        np.exp(scores, out=self.probabilities)
        total = np.add.reduce(self.probabilities, axis=1, keepdims=True)
        self.probabilities /= total
        scores -= np.log(total)
        return scores

    def _count(self, tags: Entries, floors: Entries) -> Floats:
        """Counts the successors of the contexts; leaves (n_k - min(n_k, D)) / N_k in `_counts`.

        Returns λ_k / N_k [orders, n, 1], which is 1 where a context is new.
        """
        places, live, weights = self._places, self._live, self._weights
        np.bitwise_and(self.entries, TAG_MASK, out=places)
        np.equal(places, tags, out=live)
        np.greater_equal(self.entries, floors, out=self._late)
        np.logical_and(live, self._late, out=live)
        np.multiply(live, _WAY_WEIGHTS, out=weights)
        np.bitwise_and(self.entries, SYMBOL_MASK, out=places)
        places += self._offsets
        counts, left = self._counts, self._left
        counts[:] = np.bincount(self._flat_places, self._flat_weights, self._size).reshape(self._shape)
        totals = np.add.reduce(weights, axis=2, keepdims=True)
        found = totals > 0
        self._find_top(totals, found)
        np.minimum(counts, DISCOUNT, out=left)
        counts -= left
        new = ~found
        scale = (1 / (totals + new)).astype(np.float32)
        counts *= scale
        shares: Floats = np.add.reduce(left, axis=2, keepdims=True) * scale
        shares += new
        return shares

    def _find_top(self, totals: Doubles, found: Flags) -> None:
        """Finds the longest context that was found and the symbol that followed it most."""
        np.maximum.reduce(found[:, :, 0] * _LEVELS, axis=0, out=self.level)
        self.found = self.level > 0
        longest = self.level - 1  # -1 is the longest order, which has counted nothing
        counts = self._counts[longest, self.each]
        np.argmax(counts, axis=1, out=self.top)
        best, total = counts[self.each, self.top], totals[longest, self.each, 0]
        self._certainty = np.where(best > total * 0.999, total + 1, best / (total + 1e-9))

    def _choose_rows(self, network: Floats, last: Indices) -> None:
        """Chooses the rows of the weights."""
        guess = network.argmax(axis=1)
        kind = _SHARE_BOUNDS.searchsorted(self._certainty)
        rows = self.rows
        rows[0] = ((self.level * _SURENESS + kind) * 2 + (guess == self.top)) * self.found
        rows[1] = _NETWORK_BOUNDS.searchsorted(network[self.each, guess])
        rows[1] += _NETWORK_FIRST
        rows[2] = (last & (_LAST_ROWS - 1)) + _LAST_FIRST

    def learn(self, symbols: Indices, positions: Indices, weights: Floats, reads: Flags | None) -> None:
        """Moves the weights [all rows, NUM_WEIGHTS] that `mix` has used, after symbols [n] came.

        `positions` [n] are theirs. Where not `reads` [n], weights stay; None: all read.
        """
        np.multiply(self.inputs, self.probabilities, out=self._products)
        expected = np.add.reduce(self._products, axis=2)
        steps = self._steps
        rate = _RATE * GRID + _EARLY * _RATE * GRID * _EARLY_CHARS / (_EARLY_CHARS + positions)
        np.subtract(self.inputs[:, self.each, symbols], expected, out=expected)
        np.multiply(expected, rate, out=steps[:NUM_INPUTS])
        bias = ((self.top == symbols) - self.probabilities[self.each, self.top]) * self.found
        np.multiply(bias, _BIAS_RATE * GRID, out=steps[NUM_INPUTS])
        steps += (positions * _GOLDEN_RATIO) % 1.0
        new = self._old + steps.T
        np.floor(new, out=new)
        np.minimum(new, _MAX_WEIGHT, out=new)
        np.maximum(new, -_MAX_WEIGHT, out=new)
        if reads is None:
            weights[self.weight_rows] = new
        else:
            weights[self.weight_rows[:, reads]] = new[:, reads]
