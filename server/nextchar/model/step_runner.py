"""Advances the lanes of one engine by a few characters a call of the step graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError
from nextchar.model.graph import Doubles, Floats, ModelGraph, StateArray
from nextchar.model.runtime import ort
from nextchar.model.vocabulary import Ids


@dataclass(frozen=True, slots=True)
class Window:
    """What one call of K steps over n rows reads and gives; arrays of the runner's own, used again and again.

    `given` [K, n] (below 0 where a symbol is drawn) and `uniforms` [K, n] in (0, 1) are filled before
    the call; `symbols` [K, n] and `logprobs` [K, n] hold what it did.
    """

    given: Ids
    uniforms: Doubles
    symbols: Ids
    logprobs: Floats


def fitting_steps(most: int) -> int:
    """How many steps a call has that may have up to `most`: two significant bits, for few bindings."""
    dropped = max(0, most.bit_length() - 2)
    return most >> dropped << dropped


class StepRunner:
    """Slabs for the lanes of one engine, and the step over their first `n` rows.

    Rows are dense: live lanes are rows 0 … n-1. `ids` [max_lanes] is what each row reads first. `step(n, K)`
    advances them by K characters as `window(n, K)` says; then `distribution[:n]` [n, num_outputs] holds
    the log-probabilities at the last position, and `ids` what was chosen there. States live in two
    slabs that take turns as input and output, bound to onnxruntime once a batch size, so a step copies
    nothing. Not safe to share between threads.
    """

    def __init__(self, graph: ModelGraph, max_lanes: int, max_steps: int = 1) -> None:
        if graph.card.graph != "step":
            raise ModelFileError(
                "a sequence graph cannot run lanes: open the version folder or its step graph"
            )
        self.graph = graph
        self.max_lanes = max_lanes
        self.max_steps = max_steps
        self.ids: Ids = np.zeros(max_lanes, dtype=np.int64)
        self.inverse_temperature: Floats = np.ones(max_lanes, dtype=np.float32)
        self.distribution: Floats = np.zeros((max_lanes, graph.vocabulary.num_outputs), dtype=np.float32)
        self._given: Ids = np.zeros(max_lanes * max_steps, dtype=np.int64)
        self._uniforms: Doubles = np.zeros(max_lanes * max_steps)
        self._symbols: Ids = np.zeros(max_lanes * max_steps, dtype=np.int64)
        self._logprobs: Floats = np.zeros(max_lanes * max_steps, dtype=np.float32)
        self._windows: dict[tuple[int, int], Window] = {}
        self._slabs = (self._make_slab(), self._make_slab())
        self._turn = 0
        self._bindings: dict[tuple[int, int, int], ort.IOBinding] = {}
        self._num_steps = {k: np.array(k, dtype=np.int64) for k in range(1, max_steps + 1)}
        self._initial = {name: self._zero(slab.dtype) for name, slab in self._slabs[0].items()}

    def window(self, n: int, num_steps: int) -> Window:
        """The arrays of a call of `num_steps` over rows 0 … n-1."""
        window = self._windows.get((n, num_steps))
        if window is None:
            size, shape = n * num_steps, (num_steps, n)
            window = self._windows[n, num_steps] = Window(
                self._given[:size].reshape(shape),
                self._uniforms[:size].reshape(shape),
                self._symbols[:size].reshape(shape),
                self._logprobs[:size].reshape(shape),
            )
        return window

    def step(self, n: int, num_steps: int = 1, *, others: bool = False) -> None:
        """Advance rows 0 … n-1 by `num_steps` characters; `others`: rows after them hold states to keep."""
        key = (n, num_steps, self._turn)
        binding = self._bindings.get(key)
        if binding is None:
            binding = self._bindings[key] = self._bind(n, num_steps)
        self.graph.session.run_with_iobinding(binding)
        if others:
            for source, target in zip(*(slabs.values() for slabs in self._slabs_in_turn()), strict=True):
                source[:n] = target[:n]
        else:
            self._turn = 1 - self._turn
        self.ids[:n] = self.window(n, num_steps).symbols[-1]

    def reset(self, row: int) -> None:
        """Give a row the state before any character."""
        for name, slab in self._current.items():
            slab[row] = self._initial[name]

    def move(self, source: int | Ids, target: int | Ids) -> None:
        """Copy the states and ids of a row, or of some, over others'."""
        for slab in self._current.values():
            slab[target] = slab[source]
        self.ids[target] = self.ids[source]

    def read_state(self, rows: int | Ids) -> dict[str, StateArray]:
        """Copies of the states of a row, or of some, by input name."""
        return {name: slab[rows].copy() for name, slab in self._current.items()}

    def write_state(self, rows: int | Ids, states: Mapping[str, StateArray]) -> None:
        """Give rows states that `read_state` gave."""
        for name, slab in self._current.items():
            slab[rows] = states[name]

    def make_states(self, count: int) -> dict[str, StateArray]:
        """Room for `count` states, each the one before any character."""
        return {
            name: np.full((count, slab.shape[1]), self._initial[name], dtype=slab.dtype)
            for name, slab in self._current.items()
        }

    def _slabs_in_turn(self) -> tuple[dict[str, StateArray], dict[str, StateArray]]:
        """What the next step reads, what it writes."""
        return self._slabs[self._turn], self._slabs[1 - self._turn]

    @property
    def _current(self) -> dict[str, StateArray]:
        return self._slabs[self._turn]

    def _make_slab(self) -> dict[str, StateArray]:
        return {
            name: np.zeros((self.max_lanes, size), dtype=dtype)
            for name, (dtype, size) in self.graph.state_shapes.items()
        }

    @staticmethod
    def _zero(dtype: np.dtype[np.generic]) -> int:
        """Zero: a uint8 state is quantised around 128."""
        return 128 if dtype == np.uint8 else 0

    def _bind(self, n: int, num_steps: int) -> ort.IOBinding:
        binding = self.graph.session.io_binding()
        source, target = self._slabs_in_turn()
        window = self.window(n, num_steps)
        _bind_input(binding, "num_steps", self._num_steps[num_steps])
        _bind_input(binding, "ids", self.ids[:n])
        _bind_input(binding, "given", window.given)
        _bind_input(binding, "uniforms", window.uniforms)
        _bind_input(binding, "inverse_temperature", self.inverse_temperature[:n])
        _bind_output(binding, "symbols", window.symbols)
        _bind_output(binding, "logprobs", window.logprobs)
        _bind_output(binding, "distribution", self.distribution[:n])
        for name, next_name in self.graph.card.states.items():
            _bind_input(binding, name, source[name][:n])
            _bind_output(binding, next_name, target[name][:n])
        return binding


def _bind_input(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _bind_output(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
