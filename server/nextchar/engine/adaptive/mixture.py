"""Mixes the network's distribution with what followed the same contexts before, and learns how.

**Counts.** For each order k, n_k(s) is the number of times that symbol s followed the current context of k
symbols, of the last `WAYS` times; older times weigh less by `RECENCY` each (the cache of Kuhn & De Mori 1990 and
Grave et al., "Improving Neural Language Models with a Continuous Cache", 2017, with contexts for keys). They are
interpolated from short to long with absolute discounting (Ney, Essen & Kneser 1994), and below the shortest
stands the network, as in the mixtures of Mikolov et al. (2011):

    p_k(s) = (n_k(s) - min(n_k(s), D) + λ_k p_{k-1}(s)) / N_k,  λ_k = Σ_s min(n_k(s), D),  p_0 = the network

**Mix.** p(s) ∝ exp(Σ_i w_i x_i(s) + b [s = top]), with x_i the log-probabilities of the network and of each
order, not below `FLOOR`, and `top` the symbol that followed the longest context found most often. This is the
logistic mixing of the PAQ compressors (Mahoney, "Adaptive Weighing of Context Models for Lossless Data
Compression", 2005) over all symbols at once. The weights are the sum of one row of each of four sets: one that is
always used; one chosen by the longest context found, how sure it is and whether the network's first guess is
its own; one by how sure the network is; one by the last symbol. After each symbol t they take one step down the
gradient of -log p(t): Δw_i = rate · (x_i(t) - Σ_s p(s) x_i(s)).

Weights are whole multiples of `1 / GRID`, so that 16 bits hold one and a stored weight is the live one. What a
step would round away is kept on average by a dither that the position decides.

All arrays have a row per lane and every operation works along a row, in an order that its length alone decides:
a lane's bits do not depend on the others. Float32 suffices: the network's are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.contexts import SYMBOL_MASK, TAG_MASK, WAYS, Entries
from nextchar.engine.adaptive.options import NUM_ORDERS

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

DISCOUNT = np.float32(0.75)
RECENCY = 0.9
FLOOR = np.float32(-14.0)
_LEAST = np.exp(FLOOR)
GRID = 4096
NUM_INPUTS = 1 + NUM_ORDERS  # the network and the orders
NUM_WEIGHTS = NUM_INPUTS + 1  # and the bias of the top symbol
_FIRST_WEIGHTS = (0.7, *(0.1,) * NUM_ORDERS, 0.0)
_RATE, _BIAS_RATE, _EARLY, _EARLY_CHARS = 0.0005, 0.03, 4.0, 1000.0
_MAX_WEIGHT = 32_000.0  # in 1 / GRID: about 8
_GOLDEN_RATIO = 0.6180339887498949

# The sets of weights, one after the other: (longest order + none) x sureness x agreement, the network's sureness,
# the last symbol, and the one that is always used.
_SURENESS = 8
_CONTEXT_ROWS = (NUM_ORDERS + 1) * _SURENESS * 2
_NETWORK_BOUNDS = np.log(np.array([0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99])).astype(np.float32)
_LAST_ROWS = 64
_NETWORK_FIRST = _CONTEXT_ROWS
_LAST_FIRST = _NETWORK_FIRST + len(_NETWORK_BOUNDS) + 1
_ALWAYS = _LAST_FIRST + _LAST_ROWS
NUM_ROWS = _ALWAYS + 1

_WAY_WEIGHTS = RECENCY ** np.arange(WAYS)
_LAST_ORDER = np.int64(NUM_ORDERS - 1)
_ORDERS = np.arange(NUM_ORDERS)


def first_weights() -> NDArray[np.int16]:
    """Returns the weights [NUM_ROWS, NUM_WEIGHTS] of a lane that has read nothing, in 1 / GRID."""
    weights = np.zeros((NUM_ROWS, NUM_WEIGHTS), dtype=np.int16)
    weights[_ALWAYS] = np.round(np.array(_FIRST_WEIGHTS) * GRID)
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What followed the current contexts of n lanes.

    `discounted` [n, orders, symbols] is (n_k - min(n_k, D)) / N_k, `left` [n, orders] is λ_k / N_k, 1 where a
    context is new. `longest` [n] is the longest context found, -1 for none; `top` [n] what followed it most,
    `total` and `best` [n] how often it occurred and `top` followed.
    """

    discounted: Floats
    left: Floats
    longest: Indices
    top: Indices
    total: Floats
    best: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A mixed distribution of n lanes, and what is needed to learn from the symbol that comes.

    `logprobs` and `probabilities` [n, symbols]; `inputs` [n, NUM_INPUTS, symbols]; `rows` [n, 4] of the weights
    in use; `top` and `found` [n] as in `Counted`.
    """

    logprobs: Floats
    probabilities: Floats
    inputs: Floats
    rows: Indices
    top: Indices
    found: NDArray[np.bool_]


def counted(entries: Entries, tags: Entries, floors: Entries, num_symbols: int) -> Counted:
    """Counts the successors of n lanes' contexts.

    `entries` [n, orders, WAYS] are the rows of the contexts, `tags` [n, orders] what their entries hold of the
    hash, `floors` [n, orders] the least entries that are remembered.
    """
    n = len(entries)
    live = (entries & TAG_MASK) == tags[:, :, None]
    live &= entries >= floors[:, :, None]
    weights = live * _WAY_WEIGHTS
    places = (entries & SYMBOL_MASK) + (np.arange(n * NUM_ORDERS) * num_symbols).reshape(n, NUM_ORDERS, 1)
    size = n * NUM_ORDERS * num_symbols
    counts = np.bincount(places.ravel(), weights.ravel(), size).astype(np.float32)
    counts = counts.reshape(n, NUM_ORDERS, num_symbols)
    totals = np.add.reduce(weights, axis=2).astype(np.float32)
    found = totals > 0
    longest = _LAST_ORDER - found[:, ::-1].argmax(axis=1)
    each = np.arange(n)
    of_longest = counts[each, longest]
    top = of_longest.argmax(axis=1)
    best, total = of_longest[each, top], totals[each, longest]
    longest[total == 0] = -1
    left = np.minimum(counts, DISCOUNT)
    counts -= left
    scale = 1 / np.where(found, totals, np.float32(1))
    counts *= scale[:, :, None]
    shares = np.where(found, np.add.reduce(left, axis=2) * scale, np.float32(1))
    return Counted(counts, shares, longest, top, total, best)


def mixed(seen: Counted, network: Floats, last: Indices, weights: Floats, lanes: Indices) -> Mixed:
    """Mixes counts with the network's log-probabilities [n, symbols].

    `last` [n] are the symbols before, `weights` [lanes, NUM_ROWS, NUM_WEIGHTS] those of all lanes in 1 / GRID, of
    which `lanes` [n] are meant.
    """
    n = len(network)
    each = np.arange(n)
    inputs = np.empty((n, NUM_INPUTS, network.shape[1]), dtype=np.float32)
    np.maximum(network, FLOOR, out=inputs[:, 0])
    shorter = np.exp(network)
    for k in range(NUM_ORDERS):
        longer = inputs[:, k + 1]
        np.multiply(shorter, seen.left[:, k, None], out=longer)
        longer += seen.discounted[:, k]
        shorter = longer
    np.maximum(inputs[:, 1:], _LEAST, out=inputs[:, 1:])
    np.log(inputs[:, 1:], out=inputs[:, 1:])
    rows = _rows(seen, network, last)
    mix = np.add.reduce(weights[lanes[:, None], rows], axis=1) * np.float32(1 / GRID)
    scores = np.add.reduce(inputs * mix[:, :NUM_INPUTS, None], axis=1)
    found = seen.longest >= 0
    scores[each, seen.top] += mix[:, NUM_INPUTS] * found
    scores -= np.maximum.reduce(scores, axis=1, keepdims=True)
    probabilities = np.exp(scores)
    total = np.add.reduce(probabilities, axis=1, keepdims=True)
    scores -= np.log(total)
    probabilities /= total
    return Mixed(scores, probabilities, inputs, rows, seen.top, found)


def _rows(seen: Counted, network: Floats, last: Indices) -> Indices:
    """Returns the rows [n, 4] of the weights that a position uses."""
    guess = network.argmax(axis=1)
    sure = network[np.arange(len(network)), guess]
    share = seen.best / np.maximum(seen.total, np.float32(1e-9))
    few = 1 + (seen.total >= 2) + (seen.total >= 4)
    spread = 6 - (share > 0.8).astype(np.int64) - (share > 0.5)
    kind = np.where(share > 0.999, few, spread)
    rows = np.empty((len(network), 4), dtype=np.int64)
    rows[:, 0] = ((seen.longest + 1) * _SURENESS + kind) * 2 + (guess == seen.top)
    rows[seen.longest < 0, 0] = 0
    rows[:, 1] = _NETWORK_FIRST + np.searchsorted(_NETWORK_BOUNDS, sure)
    rows[:, 2] = _LAST_FIRST + (last & (_LAST_ROWS - 1))
    rows[:, 3] = _ALWAYS
    return rows


def learned(mix: Mixed, symbols: Indices, positions: Indices, weights: Floats, lanes: Indices) -> None:
    """Moves the weights of n lanes in place, after `symbols` [n] came at `positions` [n]."""
    each = np.arange(len(symbols))
    expected = np.add.reduce(mix.inputs * mix.probabilities[:, None, :], axis=2)
    rate = (_RATE * GRID) * (1 + _EARLY / (1 + positions / _EARLY_CHARS))
    steps = np.empty((len(symbols), NUM_WEIGHTS))
    steps[:, :NUM_INPUTS] = (mix.inputs[each, :, symbols] - expected) * rate[:, None]
    bias = (mix.top == symbols) - mix.probabilities[each, mix.top]
    steps[:, NUM_INPUTS] = bias * mix.found * (_BIAS_RATE * GRID)
    steps += ((positions * _GOLDEN_RATIO) % 1.0)[:, None]
    old = weights[lanes[:, None], mix.rows]
    new = np.floor(old + steps[:, None, :])
    weights[lanes[:, None], mix.rows] = np.clip(new, -_MAX_WEIGHT, _MAX_WEIGHT)
