"""Measures what adapting costs: characters per second beside plain lanes, opening a memory, its bytes."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.engine.adaptive.lanes import engine_for, run_in, run_lanes
from nextchar.engine.adaptive.lanes import AdaptiveLanes
from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.adaptive.packing import pack_memories
from nextchar.engine.adaptive.tables import MAX_TABLE_BYTES
from nextchar.engine.lane import Lane, Sampling
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.model.vocabulary import Ids

_MODEL = Path("models/tinyshakespeare/1/step-int8.onnx")
_HELD_CHARS, _NUM_CHARS = 10_000, 1_000
_NUM_LANES = (1, 64)
_NOTHING: Ids = np.empty(0, dtype=np.int64)


def measure(text: str, rounds: int) -> dict[str, float]:
    """Returns medians over rounds in which adaptive and plain lanes take turns.

    Each lane reads a part of its own; a text that has too few is repeated.
    """
    graph = open_graph(_MODEL)
    ids = np.resize(graph.vocabulary.encode(text), max(_HELD_CHARS, max(_NUM_LANES) * _NUM_CHARS))
    memory = _read(graph, ids[:_HELD_CHARS])
    found: dict[str, float] = {}
    for n in _NUM_LANES:
        for does, make in (("reads", _reading), ("draws", _drawing)):
            plain, adaptive = _seconds(graph, ids, make, n, (None, memory), rounds)
            found[f"{n} plain that {does}, characters per second"] = n / plain
            found[f"{n} adaptive that {does}, characters per second"] = n / adaptive
            found[f"{n} that {does}, adaptive ÷ plain"] = plain / adaptive
            found[f"{n} that {does}, µs per step above plain"] = (adaptive - plain) * 1e6
    found["opening 10,000 characters, ms"] = _opening(graph, memory, rounds)
    found["bytes of 10,000 characters"] = len(pack_memories([memory]))
    return found


def _read(graph: ModelGraph, ids: Ids) -> Memory:
    lane = Lane(ids, memory=empty_memory(Adaptive()), keeps_state=True)
    run_lanes(graph, [lane])
    assert lane.kept is not None
    return lane.kept


def _reading(ids: Ids, k: int, memory: Memory | None) -> Lane:
    return Lane(ids[k * _NUM_CHARS : (k + 1) * _NUM_CHARS], memory=memory)


def _drawing(_ids: Ids, k: int, memory: Memory | None) -> Lane:
    return Lane(_NOTHING, sampling=Sampling(_NUM_CHARS, seed=k), memory=memory)


def _seconds(
    graph: ModelGraph,
    ids: Ids,
    make: Callable[[Ids, int, Memory | None], Lane],
    n: int,
    memories: Sequence[Memory | None],
    rounds: int,
) -> list[float]:
    """Returns the seconds of a step of n lanes, for each memory, median of the rounds.

    These are seconds of the processor: an engine has one thread, and other processes count for less.
    """
    seconds: list[list[float]] = [[] for _ in memories]
    with engine_for(graph, n) as engine:
        for turn in range(rounds + 1):
            for memory, times in zip(memories, seconds, strict=True):
                lanes = [make(ids, k, memory) for k in range(n)]
                started = time.process_time()
                run_in(engine, lanes)
                if turn:  # the first one binds arrays
                    times.append((time.process_time() - started) / _NUM_CHARS)
    return [statistics.median(times) for times in seconds]


def _opening(graph: ModelGraph, memory: Memory, rounds: int) -> float:
    """Returns the milliseconds in which a table is built: it is not kept."""
    lanes, times = AdaptiveLanes(1, graph.vocabulary.num_outputs, MAX_TABLE_BYTES), []
    for _ in range(10 * rounds):
        started = time.perf_counter()
        reserved = lanes.reserve(memory, 0, ends_known=True)
        assert reserved is not None
        lanes.close(lanes.open(memory, reserved), None)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)
