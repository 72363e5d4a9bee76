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
bits do not depend on the others. Float32 suffices: the network's are. Only the weights must be learned
character by character (`StepMixer`): all else is done for a *block* of given characters at once, with the
same bits, since counts are sums of multiples of `1 / GRID` and so exact in any order. Calls for one lane are
mostly overhead of NumPy's, so arrays are made once per size of a block (`Workspace`), operations are few, and
constants are arrays, which NumPy need not convert.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.contexts import SYMBOL_MASK, TAG_MASK, WAYS, Entries
from nextchar.engine.adaptive.options import NUM_ORDERS
from nextchar.engine.adaptive.step_mixer import GRID, NUM_INPUTS, NUM_WEIGHTS, StepMixer
from nextchar.model.graph import Floats

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]
Reals = NDArray[Any]  # float32 or float64

_DISCOUNT = np.array(0.75, dtype=np.float32)
RECENCY = 0.9
FLOOR = np.array(-14.0, dtype=np.float32)
_LEAST = np.array(np.exp(FLOOR))
_FIRST_WEIGHTS = (0.7, *(0.1,) * NUM_ORDERS, 0.0)
_RATE, _BIAS_RATE, _EARLY, _EARLY_CHARS = 0.0005, 0.03, 4.0, 1000.0
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
_SET_FIRSTS = np.array([0, _NETWORK_FIRST, _LAST_FIRST, _ALWAYS])[:, None]

_MANY_ROWS = 16
_TAG, _SYMBOL = np.array(TAG_MASK), np.array(SYMBOL_MASK)
WAY_WEIGHTS = np.round(RECENCY ** np.arange(WAYS) * GRID) / GRID  # so that their sums are exact
# Of the top symbol: its share of the occurrences, or 1 + how many there are where it has all.
_SHARE_BOUNDS = np.array([1e-9, 0.5, 0.8, 1.0, 3.0, 5.0], dtype=np.float32)
_LEVELS = np.arange(1, NUM_ORDERS + 1)[:, None]
_UNITS = np.array([*(_RATE * GRID,) * NUM_INPUTS, _BIAS_RATE * GRID], dtype=np.float32)
_EARLY_UNITS = _UNITS * np.array([*(_EARLY,) * NUM_INPUTS, 0.0], dtype=np.float32)


def first_weights() -> NDArray[np.int16]:
    """Returns the weights [NUM_ROWS, NUM_WEIGHTS] of a lane that has read nothing, in 1 / GRID."""
    weights = np.zeros((NUM_ROWS, NUM_WEIGHTS), dtype=np.int16)
    weights[_ALWAYS] = np.round(np.array(_FIRST_WEIGHTS) * GRID)
    return weights


def workspace_bytes(num_steps: int, n: int, num_symbols: int) -> int:
    """Returns the bytes of a workspace's arrays over symbols, beside which the others are small."""
    size = num_steps * n
    rows = (NUM_WEIGHTS + 1) * (size + 1) + (4 * NUM_ORDERS + 1) * size + n  # inputs, counts, scores, odds
    return 4 * num_symbols * rows


def _sums(values: Reals) -> Reals:
    """Returns the sums [orders, N, 1] of [orders, N, any], where they are exact in any order."""
    if values.shape[1] < _MANY_ROWS:
        sums: Reals = np.add.reduce(values, axis=2, keepdims=True)
    else:  # takes longer to begin, and a third as long for each row
        sums = np.einsum("kns->kn", values)[:, :, None]
    return sums


class Workspace:
    """Holds the arrays of a block of steps for n lanes: `fill`, then for each step `mix` and `learn`.

    What `fill` makes is of N = steps * n rows, the lanes of a step one after the other: `inputs`
    [NUM_WEIGHTS + 1, N, symbols], of the network, of the orders, of the bias (1 at the symbol that followed
    the longest context most, if any) and ones, and `rows` [steps, 4, n], the rows of the weights of all
    lanes.
    """

    def __init__(self, num_steps: int, n: int, num_symbols: int) -> None:
        size = num_steps * n
        shape = (NUM_ORDERS, size, num_symbols)
        # With a spare row, a lane's matrix is nowhere all of an array: its products see no difference.
        spare = np.zeros((NUM_WEIGHTS + 1, size + 1, num_symbols), dtype=np.float32)
        self.inputs: Floats = spare[:, :size]
        self.inputs[NUM_WEIGHTS] = 1
        self.rows: Indices = np.full((num_steps, 4, n), _ALWAYS, dtype=np.int64)
        self._network_input, self._order_inputs = self.inputs[0], self.inputs[1:NUM_INPUTS]
        self._each_order = list(self._order_inputs)
        self._flat_bias = self.inputs[NUM_INPUTS].reshape(-1)
        self._each = np.arange(size)
        self._starts = self._each * num_symbols
        self._biased: Indices = self._starts  # where the bias is set
        self._counts: Floats = np.zeros(shape, dtype=np.float32)
        self._each_counts = list(self._counts)
        self._left: Floats = np.zeros(shape, dtype=np.float32)
        # As many as there are counts: where one number is compared with all, it takes three times as long.
        self._discounts, self._least = np.full_like(self._left, _DISCOUNT), np.full_like(self._left, _LEAST)
        self._way_weights: Doubles = np.tile(WAY_WEIGHTS, (NUM_ORDERS, size, 1))
        self._offsets = (np.arange(NUM_ORDERS * size) * num_symbols).reshape(NUM_ORDERS, size, 1)
        self._shape, self._size = shape, NUM_ORDERS * size * num_symbols
        self._top: Indices = np.zeros(size, dtype=np.int64)
        self._level: Indices = np.zeros(size, dtype=np.int64)
        self._found: Flags = np.zeros(size, dtype=np.bool_)
        self._certainty: Doubles = np.zeros(size)
        self._mixer = StepMixer(self.inputs, num_steps, n)

    def fill(
        self,
        entries: Entries,
        tags: Entries,
        floors: Entries,
        network: Floats,
        last: Indices,
        first_weights: Indices,
    ) -> None:
        """Counts what followed the contexts and makes the inputs of the mixture.

        `entries` [orders, steps, n, WAYS] are the rows of the contexts, `tags` [orders, steps, n, 1] what
        entries of the contexts hold of the hash, `floors` [orders, 1, n, 1] the least entries that are
        remembered. `network` [N, symbols] are its log-probabilities, `last` [N] the symbols before.
        `first_weights` [n] are where the NUM_ROWS rows of each lane begin.
        """
        shares = self._count(entries, tags, floors)
        below = np.exp(network)
        for share, counts, above in zip(shares, self._each_counts, self._each_order, strict=True):
            np.multiply(below, share, out=above)
            above += counts
            below = above
        np.maximum(self._order_inputs, self._least, out=self._order_inputs)
        np.log(self._order_inputs, out=self._order_inputs)
        np.maximum(network, FLOOR, out=self._network_input)
        self._flat_bias[self._biased] = 0
        self._biased = self._starts + self._top
        self._flat_bias[self._biased] = self._found
        self._choose_rows(network, last, first_weights)

    def _count(self, entries: Entries, tags: Entries, floors: Entries) -> Floats:
        """Counts the successors of the contexts; leaves (n_k - min(n_k, D)) / N_k in `_counts`.

        Returns λ_k / N_k [orders, N, 1], which is 1 where a context is new. Sums are exact, so that their
        order does not matter.
        """
        live = (entries & _TAG) == tags
        live &= entries >= floors
        weights = live.reshape(self._way_weights.shape) * self._way_weights
        places = (entries & _SYMBOL).reshape(weights.shape)
        places += self._offsets
        counts, left = self._counts, self._left
        counts[:] = np.bincount(places.reshape(-1), weights.reshape(-1), self._size).reshape(self._shape)
        totals = _sums(weights)
        found = totals > 0
        self._find_top(totals, found)
        np.minimum(counts, self._discounts, out=left)
        counts -= left
        new = ~found
        scale = (1 / (totals + new)).astype(np.float32)
        counts *= scale
        shares: Floats = _sums(left) * scale
        shares += new
        return shares

    def _find_top(self, totals: Doubles, found: Flags) -> None:
        """Finds the longest context that was found and the symbol that followed it most."""
        np.maximum.reduce(found[:, :, 0] * _LEVELS, axis=0, out=self._level)
        np.greater(self._level, 0, out=self._found)
        longest = self._level - 1  # -1 is the longest order, which has counted nothing
        counts = self._counts[longest, self._each]
        np.argmax(counts, axis=1, out=self._top)
        best, total = counts[self._each, self._top], totals[longest, self._each, 0]
        self._certainty = np.where(best > total * 0.999, total + 1, best / (total + 1e-9))

    def _choose_rows(self, network: Floats, last: Indices, first_weights: Indices) -> None:
        """Chooses the rows of the weights."""
        guess = network.argmax(axis=1)
        kind = _SHARE_BOUNDS.searchsorted(self._certainty)
        context = ((self._level * _SURENESS + kind) * 2 + (guess == self._top)) * self._found
        sureness = _NETWORK_BOUNDS.searchsorted(network[self._each, guess])
        rows, steps = self.rows, (len(self.rows), -1)
        rows[:, 0] = context.reshape(steps)
        rows[:, 1] = sureness.reshape(steps)
        rows[:, 2] = (last & (_LAST_ROWS - 1)).reshape(steps)
        rows[:, 3] = 0
        rows += _SET_FIRSTS
        rows += first_weights

    def aim(self, symbols: Indices, positions: Indices) -> None:
        """Tells which symbols [N] come in the block, at `positions` [N]: what `learn` needs of them."""
        early = (_EARLY_CHARS / (_EARLY_CHARS + positions)).astype(np.float32)
        rates = _UNITS + _EARLY_UNITS * early[:, None]
        aims = self.inputs[:NUM_WEIGHTS, self._each, symbols].T * rates
        aims += ((positions * _GOLDEN_RATIO) % 1.0).astype(np.float32)[:, None]
        self._mixer.rates, self._mixer.aims = rates, aims

    def mix(self, step: int, weights: Floats) -> None:
        """Mixes the inputs of a step by the `weights` [all rows, NUM_WEIGHTS] of now."""
        self._mixer.mix(step, weights, self.rows[step])

    def learn(self, step: int, weights: Floats, reads: Flags | None) -> None:
        """Moves the weights that the last `mix`, of the same step, has used.

        Where not `reads` [n], weights stay; None: all read.
        """
        new = self._mixer.learn(step)
        if reads is None:
            weights[self.rows[step]] = new
        else:
            weights[self.rows[step][:, reads]] = new[:, reads]

    def distribution(self, step: int) -> Floats:
        """Returns the log-probabilities [n, symbols] of a step that was mixed."""
        distribution: Floats = self._mixer.scores[step] - np.log(self._mixer.totals[step])[:, None]
        return distribution

    def worth(self, symbols: Indices) -> Floats:
        """Returns the log-probabilities [N] of symbols [N], once all steps were mixed."""
        scores = self._mixer.scores.reshape(-1)[self._starts + symbols]
        worth: Floats = scores - np.log(self._mixer.totals).reshape(-1)
        return worth
