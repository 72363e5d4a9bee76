"""Measures what the compiled cells of nextchar-kernels save: `python -m benchmarks.engine.kernels`.

A call of the graph with them and one without take turns, each timed by what its thread computes, so that
other work on the machine disturbs little. NEXTCHAR_KERNELS_PATH chooses an implementation.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.engine.measure import positive
from benchmarks.engine.network import Network, make_network
from benchmarks.engine.products import int8_products
from benchmarks.engine.steps import bare_step
from nextchar.model.graph import ModelGraph
from nextchar.model.kernels.fusing import OPERATORS
from nextchar.model.kernels.library import KernelsUnusable, find_library
from nextchar.model.step_runner import StepRunner

LANES = (1, 8, 64, 256)
_CALL_STEPS = 4
_LEAST_SECONDS = 0.005  # of a turn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.kernels", description=__doc__)
    parser.add_argument("--turns", type=positive, default=60, help="turns of each; the median ratio counts")
    turns = parser.parse_args().turns
    if not _is_installed():
        parser.error("nextchar-kernels is not installed: kernels/README.md says how it is built")
    print(f"{'2 × 512, by number of lanes':48}" + "".join(f"{n:>8}" for n in LANES))
    network = make_network(512, 2)
    _print("LSTM, bare step, with ÷ without", [_bare_gain(network, n, turns) for n in LANES])
    for kernels, name in ((True, "with"), (False, "without")):
        found = [_beside_products(network, n, turns, kernels=kernels) for n in LANES]
        _print(f"LSTM, bare step, {name} ÷ its products", found)
    for cell in OPERATORS:
        network = make_network(512, 2, cell)
        graphs = network.int8_with_kernels, network.int8
        _print(f"{cell}, a call that draws, with ÷ without", [_call_gain(*graphs, n, turns) for n in LANES])


def _is_installed() -> bool:
    try:
        return find_library() is not None
    except KernelsUnusable as error:
        raise SystemExit(f"nextchar-kernels cannot be used: {error}") from error


def _print(title: str, ratios: list[float]) -> None:
    print(f"{title:48}" + "".join(f"{ratio:8.2f}" for ratio in ratios), flush=True)


def _bare_gain(network: Network, num_lanes: int, turns: int) -> float:
    steps = [bare_step(network, "int8", num_lanes, kernels=kernels) for kernels in (True, False)]
    return _times_as_fast(*steps, turns)


def _beside_products(network: Network, num_lanes: int, turns: int, *, kernels: bool) -> float:
    step = bare_step(network, "int8", num_lanes, kernels=kernels)
    return _times_as_fast(step, int8_products(network, num_lanes), turns)


def _call_gain(fused: ModelGraph, plain: ModelGraph, num_lanes: int, turns: int) -> float:
    return _times_as_fast(_call(fused, num_lanes), _call(plain, num_lanes), turns)


def _call(graph: ModelGraph, num_lanes: int) -> Callable[[], object]:
    runner = StepRunner(graph, num_lanes, _CALL_STEPS)
    io = runner.io(num_lanes, _CALL_STEPS)
    io.given[:], io.uniforms[:] = -1, np.random.default_rng(0).random(io.uniforms.shape)
    for row in range(num_lanes):
        runner.reset(row)
    return lambda: runner.step(num_lanes, _CALL_STEPS)


def _times_as_fast(one: Callable[[], object], other: Callable[[], object], turns: int) -> float:
    """Returns how often `one` runs in the time of `other`: the median over turns side by side."""
    _timed(one, 3)  # first calls allocate
    repeats = max(1, round(_LEAST_SECONDS / _timed(one, 3)))
    _timed(other, repeats)
    return statistics.median(_timed(other, repeats) / _timed(one, repeats) for _ in range(turns))


def _timed(work: Callable[[], object], repeats: int) -> float:
    start = time.thread_time()
    for _ in range(repeats):
        work()
    return (time.thread_time() - start) / repeats


if __name__ == "__main__":
    main()
