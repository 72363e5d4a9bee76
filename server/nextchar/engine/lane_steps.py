"""Advances the rows of lanes by calls of the graph, and writes what they pass into their chunks.

Plain rows go several characters per call. What an adaptive row has learned decides its next distribution, so
that one that draws goes one character per call; those that are only given characters learn them in blocks.
"""

import time
from collections.abc import Sequence

import numpy as np

from nextchar.engine.lane import Lane
from nextchar.engine.lane_arrays import LaneArrays
from nextchar.engine.lane_events import LaneEvents
from nextchar.engine.sampler import Indices
from nextchar.model.graph import Floats
from nextchar.model.step_runner import StepIO, StepRunner

_READ_NUMBERS = 1 << 18  # of the distributions that are kept while adaptive rows read
_NO_ROWS: Indices = np.empty(0, dtype=np.int64)


class LaneSteps:
    """Advances the first rows of `lanes`, the batch's own list, in the order of their rows.

    `triggered` [max_lanes] tells which rows drew a trigger in the last `advance`.
    """

    def __init__(
        self, arrays: LaneArrays, runner: StepRunner, events: LaneEvents, lanes: Sequence[Lane]
    ) -> None:
        self._arrays, self._runner, self._events, self._lanes = arrays, runner, events, lanes
        self._starts = np.arange(runner.max_lanes) * arrays.symbols.shape[1]
        self._offsets = np.arange(runner.max_steps)[:, None]
        self._rows = np.arange(runner.max_lanes)
        self.triggered = np.zeros(runner.max_lanes, dtype=np.bool_)

    def advance(self, n: int, num_steps: int) -> float:
        """Advances the first `n` rows by some characters; returns the seconds that the graph took."""
        adaptive = self._arrays.adaptive.active(n)
        self.triggered[:n] = False
        if not len(adaptive):
            return self._call(n, num_steps, adaptive)
        if num_steps > 1 and self._arrays.given_alone(adaptive, num_steps):
            return self._learn_in_blocks(n, num_steps, adaptive)
        return sum([self._call(n, 1, adaptive) for _ in range(num_steps)])

    def _call(self, n: int, num_steps: int, adaptive: Indices) -> float:
        """Advances the first `n` rows by one call of the graph; returns the seconds that the graph took."""
        io = self._runner.io(n, num_steps)
        positions = self._starts[:n] + self._arrays.cursor[:n] + self._offsets[:num_steps]
        np.take(self._arrays.symbols, positions, out=io.given, mode="clip")
        if self._arrays.num_sampling:
            np.take(self._arrays.uniforms, positions, out=io.uniforms, mode="clip")
        stepped = self._timed_step(n, num_steps)
        self._store(io, positions, n, adaptive)
        if self._arrays.num_stopping:
            self.triggered[:n] |= self._arrays.triggers[self._rows[:n], io.symbols].any(axis=0)
        return stepped

    def _timed_step(self, n: int, num_steps: int) -> float:
        before = time.perf_counter()
        self._runner.step(n, num_steps, others=n < len(self._lanes))
        return time.perf_counter() - before

    def _learn_in_blocks(self, n: int, num_steps: int, rows: Indices) -> float:
        """Advances the first `n` rows while adaptive ones are given characters, learned some at a time.

        Returns the seconds that the graph took.
        """
        num_symbols = self._runner.distribution.shape[1]
        most = max(1, _READ_NUMBERS // (len(rows) * num_symbols))
        counts = [min(most, num_steps - done) for done in range(0, num_steps, most)]
        return sum(self._read(n, rows, np.empty((k, len(rows), num_symbols), np.float32)) for k in counts)

    def _read(self, n: int, rows: Indices, network: Floats) -> float:
        """Does what `_learn_in_blocks` does, with room for the distributions [steps, rows, symbols]."""
        arrays, stepped, num_steps = self._arrays, 0.0, len(network)
        positions = arrays.cursor[rows] + self._offsets[:num_steps]
        symbols = arrays.symbols[rows, positions]
        if len(rows) == n:  # nothing is drawn, so that there is nothing to store
            io = self._runner.io(n, 1)
            for given, distribution in zip(symbols, network, strict=True):
                io.given[0] = given
                stepped += self._timed_step(n, 1)
                distribution[:] = self._runner.distribution[:n]
            arrays.cursor[:n] += num_steps
        else:
            for distribution in network:
                stepped += self._call(n, 1, _NO_ROWS)
                distribution[:] = self._runner.distribution[rows]
        arrays.logprobs[rows, positions] = arrays.adaptive.read(rows, positions, network, symbols)
        return stepped

    def _store(self, io: StepIO, positions: Indices, n: int, adaptive: Indices) -> None:
        """Writes the symbols that the rows have passed into their chunks."""
        arrays = self._arrays
        if len(adaptive):
            arrays.adaptive.mix(adaptive, self._runner.distribution, io.symbols[-1], io.logprobs[-1])
        if arrays.host_sampler.num_enabled:
            self._draw(io, n)
        if len(adaptive):
            self._learn(io, adaptive)
        if arrays.num_topped:
            arrays.store_top(n, self._runner.distribution)
        if arrays.num_traced:
            self._events.trace(self._lanes[:n])
        arrays.symbols.reshape(-1)[positions] = io.symbols
        arrays.logprobs.reshape(-1)[positions] = io.logprobs
        cursor = arrays.cursor[:n]
        np.minimum(cursor + len(positions), arrays.end[:n], out=cursor)

    def _learn(self, io: StepIO, rows: Indices) -> None:
        """Lets adaptive rows read the symbols they have passed, except in a step for a distribution only."""
        arrays, cursor = self._arrays, self._arrays.cursor[rows]
        drawn = cursor >= arrays.num_given[rows]
        reads = ~drawn | arrays.host_sampler.enabled[rows]
        arrays.adaptive.learn(rows, cursor, io.symbols[-1, rows], drawn=drawn, reads=reads)

    def _draw(self, io: StepIO, n: int) -> None:
        """Draws for the rows whose draws need more than the graph applies, in its place."""
        arrays, runner = self._arrays, self._runner
        rows = np.flatnonzero(arrays.host_sampler.enabled[:n] & (arrays.cursor[:n] >= arrays.num_given[:n]))
        if not len(rows):
            return
        logprobs = runner.distribution[rows].astype(np.float64)
        drawn = arrays.host_sampler.draw(rows, logprobs, arrays.uniforms[rows, arrays.cursor[rows]])
        if arrays.host_sampler.num_reporting:
            runner.distribution[rows] = logprobs
        io.symbols[-1, rows] = runner.ids[rows] = drawn
        io.logprobs[-1, rows] = runner.distribution[rows, drawn]
