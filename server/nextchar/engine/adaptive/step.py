"""Defines what steps of the same adaptive lanes share."""

from dataclasses import dataclass, field

import numpy as np

from nextchar.engine.adaptive.contexts import WAYS, Entries, Hashes
from nextchar.engine.adaptive.mixture import Indices, Workspace
from nextchar.engine.adaptive.options import MAX_ORDER, NUM_ORDERS


@dataclass(slots=True, eq=False)
class Step:
    """Holds what steps at the same n places share, by order first; then what the last one has looked up."""

    name: bytes  # the places'
    places: Indices
    factors: Hashes  # [orders, n, 1, MAX_ORDER]
    shift: Hashes  # [n]
    first_rows: Indices  # [orders, 1, n]
    floors: Entries  # [orders, 1, n, 1]
    first_weights: Indices  # [n]
    until_event: int  # steps to go until a window or a table may move
    workspace: Workspace | None = None
    recent: Hashes = field(default_factory=lambda: np.empty((0, MAX_ORDER), dtype=np.uint64))
    rows: Indices = field(default_factory=lambda: np.empty((NUM_ORDERS, 1, 0), dtype=np.int64))
    tags: Entries = field(default_factory=lambda: np.empty((NUM_ORDERS, 1, 0), dtype=np.int64))
    held: Entries = field(default_factory=lambda: np.empty((NUM_ORDERS, 1, 0, WAYS), dtype=np.int64))
