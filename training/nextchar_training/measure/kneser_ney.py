"""Fits interpolated modified Kneser-Ney n-gram models: the baseline, in seconds (Chen & Goodman 1999).

Counts are kept per distinct n-gram. An n-gram's id is found from the id of the n-gram one shorter
(its last symbols) and the symbol before that, so keys stay small whatever the order:

    gram(t, k) = index of (gram(t, k-1), ids[t-k+1])     suffix of a k-gram: gram(t, k-1)
                                                          context of a k-gram: gram(t-1, k-1)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_UNSEEN = -1


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one length: `keys` sorted; per gram its count; per context its totals."""

    keys: Ids
    counts: Ids
    total: Ids  # per context: the sum of its grams' counts
    discounted: Floats  # per context: the mass taken from its grams
    discounts: Floats  # by count: [0, D1, D2, D3+]

    def probability(self, gram: Ids, context: Ids, lower: Floats) -> Floats:
        """Returns p of each gram after its context (ids or _UNSEEN), given p one order lower."""
        known = context != _UNSEEN
        total = np.where(known, self.total[context], 0)
        known = total > 0
        count = np.where(gram != _UNSEEN, self.counts[gram], 0)
        own = np.maximum(count - self.discounts[np.minimum(count, 3)], 0.0)
        mixed = (own + self.discounted[context] * lower) / np.where(known, total, 1)
        return np.asarray(np.where(known, mixed, lower), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Table:
    """The n-grams of one length k: symbols int64 [n, k]; p of the last after the others; back-off weights."""

    symbols: Ids
    probability: Floats
    backoff: Floats


class KneserNey:
    """A character n-gram model with the distribution of every context summing to 1 over `num_symbols`.

    `begin_id`, if given, is a symbol that is read and never predicted; it starts a string, and no symbol
    before it is used.
    """

    def __init__(self, orders: list[_Order], num_symbols: int, begin_id: int | None) -> None:
        self._orders, self._num_symbols, self._begin_id = orders, num_symbols, begin_id

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self._orders)

    @property
    def num_symbols(self) -> int:
        """The number of symbols that can be predicted."""
        return self._num_symbols

    @property
    def keys(self) -> list[Ids]:
        """The n-grams of each length, in the order of `tables`, as sorted numbers.

        A key is the place of the last k - 1 symbols among the n-grams one shorter, times `num_symbols` + 1,
        plus the first symbol.
        """
        return [counted.keys for counted in self._orders]

    @classmethod
    def fit(cls, ids: Ids, *, order: int, num_symbols: int, begin_id: int | None = None) -> "KneserNey":
        """Counts a text, ids int64 [n]; takes a few seconds for five million characters and order 7."""
        grams = [np.zeros(len(ids), dtype=np.int64)]  # of order 0: all the same
        keys = [np.zeros(1, dtype=np.int64)]
        firsts = [np.zeros(1, dtype=np.int64)]  # where each gram is first seen
        depth = _depth(ids, begin_id)
        base = num_symbols + 1
        for k in range(1, order + 1):
            at = np.flatnonzero(depth >= k - 1)
            key = grams[-1][at] * base + ids[at - k + 1]
            unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
            gram = np.full(len(ids), _UNSEEN, dtype=np.int64)
            gram[at] = inverse
            grams.append(gram)
            keys.append(unique)
            firsts.append(at[first])
        orders = []
        for k in range(1, order + 1):
            counts = _counts(k, order, grams, firsts, depth)
            if begin_id is not None:
                counts[ids[firsts[k]] == begin_id] = 0  # begin is never predicted
            contexts = _previous(grams[k - 1], firsts[k])
            orders.append(_make_order(keys[k], counts, contexts, len(keys[k - 1])))
        return cls(orders, num_symbols, begin_id)

    def logprobs(self, ids: Ids, context: Ids | None = None) -> Floats:
        """Returns log p of each of `ids` int64 [n] after `context`: float64 [n]; 0 for a begin symbol."""
        before = np.empty(0, dtype=np.int64) if context is None else context[-len(self._orders) :]
        whole = np.concatenate([before, ids])
        depth = _depth(whole, self._begin_id)
        probability = np.full(len(whole), 1.0 / self._num_symbols)
        shorter = np.zeros(len(whole), dtype=np.int64)
        for k, counted in enumerate(self._orders, start=1):
            reachable = depth >= k - 1
            gram = self._find(counted.keys, shorter, whole, k, reachable)
            contexts = np.where(reachable, _previous(shorter, np.arange(len(whole))), _UNSEEN)
            if k == 1:
                contexts[:] = 0
            probability = counted.probability(gram, contexts, probability)
            shorter = gram
        logs: Floats = np.log(probability)
        if self._begin_id is not None:
            logs[whole == self._begin_id] = 0.0
        return logs[len(before) :]

    def tables(self) -> Iterator[Table]:
        """Yields all n-grams, order by order: their symbols, p, and back-off weights."""
        symbols, contexts = np.empty((1, 0), dtype=np.int64), np.zeros(1, dtype=np.int64)
        probability = np.full(1, 1.0 / self._num_symbols)
        base = self._num_symbols + 1
        for k, counted in enumerate(self._orders, start=1):
            suffix, first = counted.keys // base, counted.keys % base
            if k > 1:  # a gram's context is its first symbol before its suffix's context
                above = self._orders[k - 2].keys
                contexts = np.searchsorted(above, contexts[suffix] * base + first)
            else:
                contexts = np.zeros(len(suffix), dtype=np.int64)
            grams = np.arange(len(counted.keys))
            probability = counted.probability(grams, contexts, probability[suffix])
            symbols = np.column_stack([first, symbols[suffix]])
            yield Table(symbols, probability, self._backoff(k, len(grams)))

    def _backoff(self, k: int, num_grams: int) -> Floats:
        """Returns the share of the mass after each k-gram that is left to the order below; 1 if unknown."""
        if k == len(self._orders):
            return np.ones(num_grams)
        longer = self._orders[k]
        weights = np.ones(num_grams)
        np.divide(longer.discounted, longer.total, out=weights, where=longer.total > 0)
        return weights

    def _find(self, keys: Ids, shorter: Ids, ids: Ids, k: int, reachable: NDArray[np.bool_]) -> Ids:
        gram = np.full(len(ids), _UNSEEN, dtype=np.int64)
        at = np.flatnonzero(reachable & (shorter != _UNSEEN))
        key = shorter[at] * (self._num_symbols + 1) + ids[at - k + 1]
        found = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        gram[at] = np.where(keys[found] == key, found, _UNSEEN)
        return gram


def _depth(ids: Ids, begin_id: int | None) -> Ids:
    """Returns the number of symbols before each position in its string, the begin symbol included."""
    positions = np.arange(len(ids))
    if begin_id is None:
        return positions
    starts = np.where(ids == begin_id, positions, 0)
    return positions - np.maximum.accumulate(starts)


def _counts(k: int, order: int, grams: list[Ids], firsts: list[Ids], depth: Ids) -> Ids:
    """Counts occurrences at the highest order; below it, the different symbols that precede the gram.

    No symbol precedes a gram at the start of a string: there each occurrence counts.
    """
    size = len(firsts[k])
    if k == order:
        at = np.flatnonzero(depth >= k - 1)
        return np.bincount(grams[k][at], minlength=size)
    continued = np.bincount(grams[k][firsts[k + 1]], minlength=size)
    at_start = np.bincount(grams[k][depth == k - 1], minlength=size)
    return continued + at_start


def _previous(gram: Ids, at: Ids) -> Ids:
    """Returns the gram that ends one position before each of `at`."""
    return np.where(at > 0, gram[at - 1], _UNSEEN)


def _make_order(keys: Ids, counts: Ids, contexts: Ids, num_contexts: int) -> _Order:
    contexts = np.where(contexts == _UNSEEN, 0, contexts)  # only order 1 at the first position
    discounts = _discounts(counts)
    taken = np.minimum(discounts[np.minimum(counts, 3)], counts)
    total = np.bincount(contexts, weights=counts, minlength=num_contexts).astype(np.int64)
    discounted: Floats = np.bincount(contexts, weights=taken, minlength=num_contexts).astype(np.float64)
    return _Order(keys, counts, total, discounted, discounts)


def _discounts(counts: Ids) -> Floats:
    """Returns Chen and Goodman's three discounts from the counts of counts; 0.5, 1, 1.5 if one is 0."""
    n1, n2, n3, n4 = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0.0, 0.5, 1.0, 1.5])
    y = n1 / (n1 + 2 * n2)
    estimates = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    least, most = np.array([0.0, 0.01, 0.01, 0.01]), np.array([0.0, 1.0, 2.0, 3.0])
    clipped: Floats = np.minimum(np.maximum(estimates, least), most)
    return clipped
