"""Hashes contexts and builds tables of what came after them.

A *context* of order k is the last k symbols. A table has `2**bits` rows of `WAYS` entries for each order. A
context belongs to the row that the highest bits of its hash name; an entry is one occurrence:

    position of the symbol that followed (high 32 bits) | 16 other bits of the hash | the symbol (16 bits)

and a row holds the entries made last, newest first. So a row is a function of the text alone: it can be
grown a symbol at a time or built at once, and both give the same rows. An entry from before the window is
told by its position, one of another context by the bits of the hash.
"""

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.options import MAX_ORDER, NUM_ORDERS, Adaptive

Entries = NDArray[np.int64]
Hashes = NDArray[np.uint64]

WAYS = 16  # entries per row
SYMBOL_BITS, TAG_BITS, POSITION_SHIFT = 16, 16, 32
SYMBOL_MASK, TAG_MASK = (1 << SYMBOL_BITS) - 1, ((1 << TAG_BITS) - 1) << SYMBOL_BITS
NO_ENTRY = -1 << POSITION_SHIFT  # before every window
NEVER = (1 << 62) - 1  # later than every position: no entry counts
_MIN_BITS = 6
_TAG_SHIFT = np.array(8, dtype=np.uint64)  # bits 24 to 39 of the hash become the tag
_TAG_PLACE = np.array(TAG_MASK, dtype=np.uint64)
# Odd multipliers of a context's symbols, the nearest first (multiply-shift hashing, Dietzfelbinger 1997).
_MULTIPLIERS = np.random.Generator(np.random.Philox(key=28)).integers(
    0, 1 << 63, MAX_ORDER, dtype=np.uint64
) * np.uint64(2) + np.uint64(1)


def table_bits(position: int, adaptive: Adaptive) -> int:
    """Returns the bits of a row's number after `position` symbols: an eighth of what is remembered."""
    held = min(position, adaptive.window - 1)
    return max(_MIN_BITS, (held // 8).bit_length())


def next_resize(bits: int, adaptive: Adaptive) -> int:
    """Returns the position at which a table of `bits` becomes too small; `NEVER` if it stays."""
    size = 8 << bits
    return size if size < adaptive.window else NEVER


def multipliers(orders: tuple[int, ...]) -> Hashes:
    """Returns the factors [NUM_ORDERS, MAX_ORDER] of the last symbols, in their order; 0 beyond the order."""
    factors = np.zeros((NUM_ORDERS, MAX_ORDER), dtype=np.uint64)
    for k, order in enumerate(orders):
        factors[k, MAX_ORDER - order :] = _MULTIPLIERS[:order][::-1]
    return factors


def tags(hashes: Hashes) -> Entries:
    """Returns the part of a hash that an entry holds, in its place there."""
    return ((hashes >> _TAG_SHIFT) & _TAG_PLACE).view(np.int64)


def build_table(
    ids: NDArray[np.uint16], learned: NDArray[np.bool_], first: int, orders: tuple[int, ...], bits: int
) -> Entries:
    """Builds the table [NUM_ORDERS * 2**bits, WAYS] of a text.

    `ids` [n] are the symbols from position `first` on; where not `learned` [n], they are context only.
    """
    table = np.full((NUM_ORDERS << bits, WAYS), NO_ENTRY, dtype=np.int64)
    symbols = ids.astype(np.uint64)
    for k, order in enumerate(orders):
        if len(ids) <= order:
            continue
        hashes = np.zeros(len(ids) - order, dtype=np.uint64)
        for back in range(1, order + 1):
            hashes += symbols[order - back : len(ids) - back] * _MULTIPLIERS[back - 1]
        entries = tags(hashes) | ids[order:] | np.arange(first + order, first + len(ids)) << POSITION_SHIFT
        rows = (hashes >> np.uint64(64 - bits)).astype(np.uint16)
        counted = learned[order:]
        if not counted.all():
            entries, rows = entries[counted], rows[counted]
        _fill(table[k << bits : (k + 1) << bits], rows, entries)
    return table


def _fill(table: Entries, rows: NDArray[np.uint16], entries: Entries) -> None:
    """Writes the last entries of each row, newest first; `entries` [n] are in the order of the text."""
    order = np.argsort(rows, kind="stable")[::-1]  # of 16 bits: a radix sort; newest first within a row
    rows, entries = rows[order], entries[order]
    starts = np.searchsorted(-rows.astype(np.int32), -np.arange(len(table), dtype=np.int32))
    way = np.arange(len(rows)) - starts[rows]
    kept = way < WAYS
    table[rows[kept], way[kept]] = entries[kept]
