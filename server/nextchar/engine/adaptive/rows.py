"""Keeps which rows of a batch are adaptive, and mixes and learns for those of a step."""

import numpy as np

from nextchar.engine.adaptive.hot_tables import HotUse
from nextchar.engine.adaptive.lanes import AdaptiveLanes
from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.lane import Lane
from nextchar.engine.sampler import Doubles, Flags, Indices
from nextchar.model.graph import Floats

_NONE = -1


class AdaptiveRows:
    """Knows the place of each row in `AdaptiveLanes`; a row is touched where its lane joins, moves or steps.

    `logprobs` [rows, width] are the network's own, of the symbols of a chunk. The arrays are made when the
    first adaptive lane joins: an engine that has none takes no memory for them.
    """

    logprobs: Doubles
    _lanes: AdaptiveLanes
    _network: Floats  # [rows, symbols], by place, of the last step

    def __init__(self, num_rows: int, width: int, num_symbols: int, max_table_bytes: int) -> None:
        self._sizes = num_rows, width, num_symbols
        self._max_table_bytes = max_table_bytes
        self._has_arrays = False
        self._place: Indices = np.full(num_rows, _NONE, dtype=np.int64)
        self._learns_drawn: Flags = np.zeros(num_rows, dtype=np.bool_)
        self.num_active = 0

    @property
    def num_bytes(self) -> int:
        """The bytes of the tables of all rows."""
        return self._lanes.num_bytes if self._has_arrays else 0

    @property
    def hot(self) -> HotUse:
        """The use of tables that are kept beside those of the rows."""
        return self._lanes.hot if self._has_arrays else HotUse()

    def reserve(self, lane: Lane) -> bool:
        """Takes room for the tables of a lane that joins next, if it has any; returns whether there was."""
        if lane.memory is None or lane.num_steps == 0:
            return True
        self._make_arrays()
        ends_known = lane.keeps_state or not lane.reads
        lane.table = self._lanes.reserve(lane.memory, lane.num_steps, ends_known=ends_known)
        return lane.table is not None

    def join(self, row: int, lane: Lane) -> None:
        """Opens a lane's memory for a row, if it has one."""
        self._place[row] = _NONE
        if lane.memory is None:
            return
        assert lane.table is not None
        self._place[row] = self._lanes.open(lane.memory, lane.table)
        self._learns_drawn[row] = lane.memory.adaptive.learns_drawn
        self.num_active += 1

    def _make_arrays(self) -> None:
        if self._has_arrays:
            return
        num_rows, width, num_symbols = self._sizes
        self._lanes = AdaptiveLanes(num_rows, num_symbols, self._max_table_bytes)
        self._network = np.zeros((num_rows, num_symbols), dtype=np.float32)
        self.logprobs = np.zeros((num_rows, width))
        self._has_arrays = True

    def leave(self, lane: Lane) -> None:
        """Closes the memory of a lane's row, if it has one."""
        row = lane.row
        if self._place[row] == _NONE:
            return
        self._lanes.close(int(self._place[row]), lane.kept if lane.reads else lane.memory)
        self._place[row] = _NONE
        self.num_active -= 1

    def move(self, source: int, target: int) -> None:
        """Copies one row over another."""
        self._place[target] = self._place[source]
        if self._place[source] != _NONE:
            self._learns_drawn[target] = self._learns_drawn[source]
            self.logprobs[target] = self.logprobs[source]

    def memory(self, row: int) -> Memory | None:
        """Returns what a row remembers; None if it is not adaptive."""
        place = int(self._place[row])
        return None if place == _NONE else self._lanes.memory(place)

    def distribution(self, row: int) -> Doubles:
        """Returns the network's own log-probabilities [symbols] at a row's last step."""
        distribution: Doubles = self._network[self._place[row]].astype(np.float64)
        return distribution

    def active(self, num_rows: int) -> Indices:
        """Returns the rows, of the first `num_rows`, that are adaptive."""
        return np.flatnonzero(self._place[:num_rows] != _NONE)

    def mix(self, rows: Indices, distribution: Floats, symbols: Indices, logprobs: Floats) -> None:
        """Puts mixtures of n adaptive rows in place of the network's log-probabilities [all rows, symbols].

        `logprobs` [all rows] become what `symbols` [all rows] are worth there.
        """
        if rows[-1] == len(rows) - 1:  # all rows up to there: a view, which is cheaper than a copy
            network, places = distribution[: len(rows)], self._place[: len(rows)].copy()
        else:
            network, places = distribution[rows], self._place[rows]
        self._network[places] = network
        distribution[rows] = self._lanes.mix(places, network)
        logprobs[rows] = distribution[rows, symbols[rows]]

    def read(self, rows: Indices, positions: Indices, network: Floats, symbols: Indices) -> Floats:
        """Reads given symbols [steps, n] at `positions` [steps, n] of the chunks of n rows.

        `network` [steps, n, symbols] are its log-probabilities. Returns what each symbol was worth.
        """
        places = self._place[rows]
        own = np.take_along_axis(network, symbols[:, :, None], axis=2)
        self.logprobs[rows, positions] = own[:, :, 0]
        return self._lanes.read(places, network, symbols)

    def learn(self, rows: Indices, cursor: Indices, symbols: Indices, *, drawn: Flags, reads: Flags) -> None:
        """Reads symbols [n] at positions `cursor` [n] of the chunks of n rows, those that were mixed last.

        `drawn` [n] is whether a symbol was drawn; where not `reads` [n], none has come.
        """
        self.logprobs[rows, cursor] = self._network[self._place[rows], symbols]
        self._lanes.learn(symbols, counts=~drawn | self._learns_drawn[rows], reads=reads)
