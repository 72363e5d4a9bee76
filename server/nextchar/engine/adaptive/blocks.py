"""Tells what the rows of tables hold at each step of a block, as if it were read symbol by symbol."""

import numpy as np

from nextchar.engine.adaptive.contexts import Entries, Hashes
from nextchar.engine.adaptive.mixture import Indices
from nextchar.engine.adaptive.options import MAX_ORDER

MAX_STEPS = 16
_EARLIER = np.tri(MAX_STEPS, k=-1, dtype=np.bool_)[:, :, None]  # [step, earlier step, 1]


def windows(text: Hashes, num_steps: int) -> Hashes:
    """Returns the MAX_ORDER symbols [n, MAX_ORDER, steps] before each step: a view of `text`.

    `text` [n, MAX_ORDER + at least steps - 1], an array of its own, begins with the symbols before the first.
    """
    lane, symbol = text.strides
    return np.ndarray((len(text), MAX_ORDER, num_steps), text.dtype, text, 0, (lane, symbol, symbol))


def grow_rows(rows: Indices, held: Entries, made: Entries) -> None:
    """Adds to `held` [orders, steps, n, WAYS], rows as they were before the block, what its steps add.

    `rows` [orders, steps, n] are the numbers of the rows, `made` [orders, steps, n] the entries that the
    steps add. A step that has the row of earlier ones finds what the latest of them leaves there.
    """
    steps = rows.shape[1]
    shared = rows[:, :, None] == rows[:, None]  # [orders, step, earlier step, n]
    shared &= _EARLIER[:steps, :steps]
    grown = np.logical_or.reduce(shared, axis=2)
    latest = steps - 1 - shared[:, :, ::-1].argmax(axis=2)
    for step in np.flatnonzero(np.logical_or.reduce(grown, axis=(0, 2))).tolist():
        order, lane = grown[:, step].nonzero()
        before = latest[order, step, lane]
        held[order, step, lane, 1:] = held[order, before, lane, :-1]
        held[order, step, lane, 0] = made[order, before, lane]


def add_entries(table: Entries, rows: Indices, held: Entries, made: Entries) -> None:
    """Writes into a table [all rows, WAYS] the rows [..., WAYS] that steps have found, with their entries.

    Of steps that have the same row the last one counts.
    """
    entries = np.empty_like(held)
    entries[..., 1:] = held[..., :-1]
    entries[..., 0] = made
    table[rows] = entries
