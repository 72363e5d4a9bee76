"""Measures the bare step graph, which the loop around it and the engine are compared with."""

import numpy as np
import onnxruntime as ort

from benchmarks.engine.measure import Task
from benchmarks.engine.network import Network
from nextchar.model.card import Precision
from nextchar.model.kernels.fusing import fuse_cells
from nextchar.model.kernels.library import find_library
from nextchar.model.runtime import open_session
from nextchar_training.export.step import write_step
from nextchar_training.network.weights import read_weights

_STEPS = 16  # steps between two looks at the clock
_TYPES = {"float32": np.float32, "uint8": np.uint8}


def bare_step(network: Network, precision: Precision, num_lanes: int, *, kernels: bool = False) -> Task:
    """Steps all lanes, bound to memory once: nothing is drawn, states are not passed on.

    With `kernels` the cells are those of the package nextchar-kernels, which must be installed.
    """
    g, states = write_step(read_weights(network.torch), precision)
    g.input("ids_before", "int64", ["batch"])
    g.output("logits", "float32", ["batch", network.vocabulary.num_outputs])
    for state in states:
        g.input(f"{state.name}_before", state.type_name, ["batch", state.size])
        g.output(f"{state.name}_after", state.type_name, ["batch", state.size])
    content, library = g.build("bare_step", network.int8.card), None
    if kernels:
        library, content = find_library(), fuse_cells(content, network.int8.card)
        assert library is not None, "nextchar-kernels is not installed"
    session = open_session(content, library=library and library.path)
    binding = session.io_binding()
    binding.bind_cpu_input("ids_before", np.arange(num_lanes) % network.vocabulary.num_outputs)
    logits = (num_lanes, network.vocabulary.num_outputs)
    _bind_output(binding, "logits", logits, np.float32)
    for state in states:
        shape, dtype = (num_lanes, state.size), _TYPES[state.type_name]
        middle = 128 if state.type_name == "uint8" else 0
        binding.bind_cpu_input(f"{state.name}_before", np.full(shape, middle, dtype=dtype))
        _bind_output(binding, f"{state.name}_after", shape, dtype)

    def work() -> int:
        for _ in range(_STEPS):
            session.run_with_iobinding(binding)
        return _STEPS * num_lanes

    return work


def _bind_output(binding: ort.IOBinding, name: str, shape: tuple[int, int], dtype: type) -> None:
    binding.bind_ortvalue_output(
        name, ort.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, "cpu", 0)
    )
