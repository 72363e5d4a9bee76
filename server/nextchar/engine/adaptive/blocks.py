"""Looks up and counts a block of given symbols at once, as if it were done symbol by symbol.

What a row of a table holds at a step of the block is what it held before, moved back by the entries that
earlier steps have made in the same row. So a step looks at both, each entry with the weight of the way in
which it would be by then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.contexts import WAYS, Entries, Hashes
from nextchar.engine.adaptive.mixture import WAY_WEIGHTS, Doubles, Flags, Indices
from nextchar.engine.adaptive.options import MAX_ORDER

MAX_STEPS = 16
# By 1 + the way in which an entry is: 0 is for none, and beyond the last way it is forgotten.
_WEIGHTS = np.concatenate([[0.0], WAY_WEIGHTS, np.zeros(MAX_STEPS + 1)])
_WAYS = np.arange(WAYS)
_EARLIER = np.tri(MAX_STEPS, k=-1, dtype=np.bool_)[:, :, None]


def contexts_in(recent: Hashes, symbols: Indices) -> Hashes:
    """Returns the last symbols [steps + 1, n, MAX_ORDER] before each step of a block and after it.

    `recent` [n, MAX_ORDER] are those before the block, last first, and `symbols` [steps, n] the block's.
    """
    text = np.concatenate([symbols[::-1].view(np.uint64), recent.T])  # last first
    windows = np.lib.stride_tricks.sliding_window_view(text, MAX_ORDER, axis=0)
    return np.ascontiguousarray(windows[::-1])


@dataclass(slots=True, eq=False)
class BlockRows:
    """Knows which steps of a block share a row of a table.

    `rows` [orders, steps, n]; `held` [orders, steps, n, WAYS] are their entries before the block, and `made`
    [orders, steps, n] is the entry that each step makes. `earlier` [orders, steps, n] is how many steps
    before one have its row, and `later` how many after it.
    """

    rows: Indices
    held: Entries
    made: Entries
    shared: NDArray[np.bool_]  # [orders, step, earlier step, n]
    ranks: (
        Indices  # [orders, step, earlier step, latest first, n]: which of those that share, 0 if it does not
    )

    @classmethod
    def of(cls, rows: Indices, held: Entries, made: Entries) -> "BlockRows":
        steps = rows.shape[1]
        shared = (rows[:, :, None] == rows[:, None]) & _EARLIER[:steps, :steps]
        latest_first = shared[:, :, ::-1]
        ranks = np.add.accumulate(latest_first, axis=2, dtype=np.int64)
        return cls(rows, held, made, shared, ranks)

    def entries(self) -> tuple[Entries, Doubles]:
        """Returns the entries [orders, steps, n, ways] that steps look at, and their weights."""
        orders, steps, n, _ = self.held.shape
        entries = np.empty((orders, steps, n, steps + WAYS), dtype=np.int64)
        weights = np.empty(entries.shape)
        entries[..., :steps] = self.made[:, ::-1].transpose(0, 2, 1)[:, None]
        entries[..., steps:] = self.held
        shares = self.shared[:, :, ::-1]
        weights[..., :steps] = _WEIGHTS[self.ranks * shares].transpose(0, 1, 3, 2)
        weights[..., steps:] = _WEIGHTS[self.ranks[:, :, -1, :, None] + _WAYS + 1]
        return entries, weights

    def write(self, table: Entries) -> None:
        """Writes into a table [all rows, WAYS] what its rows hold after the block."""
        later = np.add.reduce(self.shared, axis=1, dtype=np.int64)
        moved = (self.ranks[:, :, -1] + later + 1)[..., None] + _WAYS
        places = moved + (self.rows * WAYS)[..., None]
        stays: Flags = moved < WAYS
        flat = table.reshape(-1)
        flat[places[stays]] = self.held[stays]
        flat[self.rows * WAYS + later] = self.made
