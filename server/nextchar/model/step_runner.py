"""Advances the rows of one engine by a few characters per call of the step graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError
from nextchar.model.graph import Doubles, Floats, ModelGraph, StateArray
from nextchar.model.runtime import ort
from nextchar.model.vocabulary import Ids


@dataclass(frozen=True, slots=True)
class StepIO:
    """The inputs and outputs of one call of K steps over n rows; arrays of the runner's own, reused.

    `given` [K, n] (below 0 where a symbol is to be drawn) and `uniforms` [K, n] in (0, 1) are filled before
    the call; after it, `symbols` and `logprobs` [K, n] hold the symbols passed and what each was worth.
    """

    given: Ids
    uniforms: Doubles
    symbols: Ids
    logprobs: Floats


def fitting_steps(most: int) -> int:
    """Returns the steps of a call that may have up to `most`: two significant bits, for few bindings."""
    dropped = max(0, most.bit_length() - 2)
    return most >> dropped << dropped


class StepRunner:
    """Holds the states of one engine's rows and runs the step over the first `n` of them.

    Rows are dense: active rows are 0 … n-1. `ids` [max_lanes] is what each row reads first. `step(n, K)`
    advances them by K characters with the arrays of `io(n, K)`; then `distribution[:n]` [n, num_outputs]
    holds the log-probabilities at the last position, and `ids` the symbols there. States live in two state
    buffers that take turns as input and output (double buffering) and are bound to onnxruntime once per batch
    size and number of steps, so a step copies nothing. Not safe to share between threads.
    """

    def __init__(self, graph: ModelGraph, max_lanes: int, max_steps: int = 1) -> None:
        if graph.card.graph != "step":
            raise ModelFileError(
                "a sequence graph cannot run lanes: open the version's folder, or its step graph"
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
        self._ios: dict[tuple[int, int], StepIO] = {}
        self._state_buffers = (self._make_state_buffer(), self._make_state_buffer())
        self._current_buffer = 0  # the next step reads this one and writes the other
        self._bindings: dict[tuple[int, int, int], ort.IOBinding] = {}
        self._num_steps = {k: np.array(k, dtype=np.int64) for k in range(1, max_steps + 1)}
        self._initial = {name: self._zero(states.dtype) for name, states in self._state_buffers[0].items()}

    def io(self, n: int, num_steps: int) -> StepIO:
        """Returns the arrays of a call of `num_steps` over rows 0 … n-1."""
        io = self._ios.get((n, num_steps))
        if io is None:
            size, shape = n * num_steps, (num_steps, n)
            io = self._ios[n, num_steps] = StepIO(
                self._given[:size].reshape(shape),
                self._uniforms[:size].reshape(shape),
                self._symbols[:size].reshape(shape),
                self._logprobs[:size].reshape(shape),
            )
        return io

    def step(self, n: int, num_steps: int = 1, *, others: bool = False) -> None:
        """Advances rows 0 … n-1 by `num_steps` characters; `others`: rows after them hold states to keep."""
        key = (n, num_steps, self._current_buffer)
        binding = self._bindings.get(key)
        if binding is None:
            binding = self._bindings[key] = self._bind(n, num_steps)
        self.graph.session.run_with_iobinding(binding)
        if others:
            for source, target in zip(
                *(states.values() for states in self._source_and_target()), strict=True
            ):
                source[:n] = target[:n]
        else:
            self._current_buffer = 1 - self._current_buffer
        self.ids[:n] = self.io(n, num_steps).symbols[-1]

    def reset(self, row: int) -> None:
        """Sets a row to the state before any character."""
        for name, states in self._current.items():
            states[row] = self._initial[name]

    def move(self, source: int | Ids, target: int | Ids) -> None:
        """Copies the states and ids of one or more rows over others'."""
        for states in self._current.values():
            states[target] = states[source]
        self.ids[target] = self.ids[source]

    def read_state(self, rows: int | Ids) -> dict[str, StateArray]:
        """Returns copies of the states of one or more rows, by input name."""
        return {name: states[rows].copy() for name, states in self._current.items()}

    def write_state(self, rows: int | Ids, arrays: Mapping[str, StateArray]) -> None:
        """Writes states, as `read_state` returned them, to one or more rows."""
        for name, states in self._current.items():
            states[rows] = arrays[name]

    def make_states(self, count: int) -> dict[str, StateArray]:
        """Allocates arrays for `count` states, each the one before any character."""
        return {
            name: np.full((count, states.shape[1]), self._initial[name], dtype=states.dtype)
            for name, states in self._current.items()
        }

    def _source_and_target(self) -> tuple[dict[str, StateArray], dict[str, StateArray]]:
        """Returns the state buffers that the next step reads and writes."""
        return self._state_buffers[self._current_buffer], self._state_buffers[1 - self._current_buffer]

    @property
    def _current(self) -> dict[str, StateArray]:
        return self._state_buffers[self._current_buffer]

    def _make_state_buffer(self) -> dict[str, StateArray]:
        return {
            name: np.zeros((self.max_lanes, size), dtype=dtype)
            for name, (dtype, size) in self.graph.state_shapes.items()
        }

    @staticmethod
    def _zero(dtype: np.dtype[np.generic]) -> int:
        """Returns zero as a type stores it: a uint8 state is quantised around 128."""
        return 128 if dtype == np.uint8 else 0

    def _bind(self, n: int, num_steps: int) -> ort.IOBinding:
        binding = self.graph.session.io_binding()
        source, target = self._source_and_target()
        io = self.io(n, num_steps)
        _bind_input(binding, "num_steps", self._num_steps[num_steps])
        _bind_input(binding, "ids", self.ids[:n])
        _bind_input(binding, "given", io.given)
        _bind_input(binding, "uniforms", io.uniforms)
        _bind_input(binding, "inverse_temperature", self.inverse_temperature[:n])
        _bind_output(binding, "symbols", io.symbols)
        _bind_output(binding, "logprobs", io.logprobs)
        _bind_output(binding, "distribution", self.distribution[:n])
        for name, next_name in self.graph.card.states.items():
            _bind_input(binding, name, source[name][:n])
            _bind_output(binding, next_name, target[name][:n])
        return binding


def _bind_input(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _bind_output(binding: ort.IOBinding, name: str, array: NDArray[np.generic]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
