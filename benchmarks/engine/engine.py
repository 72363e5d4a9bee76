"""Measures the engine's characters per second beside its own step graph, peers and the processor's limit.

All have the weights of one network and one thread each, in one run:

engine-int8        lanes that sample: schedule, step, draw, deliver
engine-int8-kernels  the same with the compiled cells of nextchar-kernels, where that is installed
step-int8          the bare folded int8 step: from ids and states to logits and states, nothing drawn
step-int8-kernels  the same with those cells
step-float32       the same in float32
lstm-operator      the ONNX LSTM operator, float32, one character per call, states passed out and in
torch              torch eager, one character per call
roofline-int8      only the int8 products of a step (uint8 × int8), nothing else
roofline-float32   only the float32 products of a step
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import onnxruntime as ort
import torch

from benchmarks.engine.measure import Task, rates
from benchmarks.engine.network import Network, make_network
from benchmarks.engine.products import float32_products, int8_products
from benchmarks.engine.steps import bare_step
from nextchar.engine.engine import Engine
from nextchar.engine.lane import Lane, Sampling
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import Delivery, Outbox, Receiver, Work
from nextchar.model.graph import ModelGraph
from nextchar.model.kernels.library import find_library

LANES = (1, 8, 64, 256)
_CHARS_PER_LANE = 256
_STEPS = 16  # steps between two looks at the clock
_TURN_SECONDS = 0.4
_LONGEST_CALL_SECONDS = 60
_NOTHING = np.empty(0, dtype=np.int64)


def measure(hidden_size: int, num_layers: int, *, rounds: int) -> dict[str, dict[str, float]]:
    """Returns characters per second by number of lanes, then by contender."""
    network, found = make_network(hidden_size, num_layers), {}
    graphs = {"engine-int8": network.int8}
    if find_library() is not None:
        graphs["engine-int8-kernels"] = network.int8_with_kernels
    for n in LANES:
        with ExitStack() as stack:
            engines = {k: stack.enter_context(_running_engine(graph, n)) for k, graph in graphs.items()}
            found[str(n)] = rates({**engines, **_contenders(network, n)}, rounds=rounds)
    return found


def _contenders(network: Network, num_lanes: int) -> dict[str, Task]:
    with_kernels = find_library() is not None
    fused = {"step-int8-kernels": bare_step(network, "int8", num_lanes, kernels=True)} if with_kernels else {}
    return {
        "step-int8": bare_step(network, "int8", num_lanes),
        **fused,
        "step-float32": bare_step(network, "float32", num_lanes),
        "lstm-operator": _operator(network, num_lanes),
        "torch": _torch(network, num_lanes),
        "roofline-int8": int8_products(network, num_lanes),
        "roofline-float32": float32_products(network, num_lanes),
    }


def engine_alone(network: Network, num_lanes: int, seconds: float) -> float:
    """Returns characters per second of an engine with so many sampling lanes and no API."""
    with _running_engine(network.int8, num_lanes) as work:
        work()
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            count += work()
    return count / elapsed


@contextmanager
def _running_engine(graph: ModelGraph, num_lanes: int) -> Iterator[Task]:
    """Runs lanes that are replaced as they end, at different times, as under steady load."""
    running, paused, stopping = threading.Event(), threading.Event(), False
    num_chars = 0

    class Resubmit:
        def receive(self, _work: Work, delivery: Delivery, /) -> None:
            if delivery.last and not stopping:
                engine.submit([_lane(self, _CHARS_PER_LANE)])

    def deliver(outbox: Outbox) -> None:
        nonlocal num_chars
        if not running.is_set():  # another contender has its turn
            paused.set()
            running.wait()
        for work, delivery in outbox:
            num_chars += len(delivery.ids)
            work.receiver.receive(work, delivery)

    engine = Engine(graph, EngineOptions(num_lanes, 1, 1, num_lanes), deliver=deliver)

    def work() -> int:
        before = num_chars
        paused.clear()
        running.set()
        time.sleep(_TURN_SECONDS)
        running.clear()
        # The running call belongs to this turn, and so does its time.
        assert paused.wait(_LONGEST_CALL_SECONDS), "the engine has stopped"
        return num_chars - before

    with engine:
        engine.submit([_lane(Resubmit(), 1 + _CHARS_PER_LANE * i // num_lanes) for i in range(num_lanes)])
        yield work
        stopping = True
        running.set()


def _lane(receiver: Receiver, num_chars: int) -> Lane:
    """Makes a completion as a streaming client requests it."""
    return Lane(_NOTHING, receiver=receiver, sampling=Sampling(num_chars, 1, 0.8, chars_per_delivery=16))


def _operator(network: Network, num_lanes: int) -> Task:
    session: ort.InferenceSession = network.sequence.session
    ids = np.zeros((num_lanes, 1), dtype=np.int64)
    shape = (network.num_layers, num_lanes, network.hidden_size)
    states = {name: np.zeros(shape, dtype=np.float32) for name in network.sequence.card.states}
    outputs = ["logits", *network.sequence.card.states.values()]

    def work() -> int:
        for _ in range(_STEPS):
            _, *new = session.run(outputs, {"ids": ids, **states})
            states.update(zip(states, new, strict=True))
        return _STEPS * num_lanes

    return work


def _torch(network: Network, num_lanes: int) -> Task:
    torch.set_num_threads(1)
    ids = torch.zeros((1, num_lanes), dtype=torch.int64)

    def work() -> int:
        state = None
        with torch.inference_mode():
            for _ in range(4):
                _, state = network.torch(ids, state)
        return 4 * num_lanes

    return work
