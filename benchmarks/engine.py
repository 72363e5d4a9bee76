"""Characters per second of the engine, beside its own step graph, its peers and the processor's limit.

All with the weights of one network, one thread each, in one run:

engine-int8      lanes that sample: schedule, step, draw, deliver
step-int8        the bare folded int8 step graph
step-float32     the bare folded float32 step graph
lstm-operator    the ONNX LSTM operator, float32, a character a call, states handed back and forth
torch            torch eager, a character a call
roofline-int8    only the int8 products of a step (uint8 × int8), nothing else
roofline-float32 only the float32 products of a step
"""

import queue

import numpy as np
import onnxruntime as ort
import torch

from benchmarks.measure import Work, rates
from benchmarks.network import Network, make_network
from benchmarks.products import float32_products, int8_products
from nextchar.batch import Outbox
from nextchar.engine import Engine
from nextchar.lane import Delivery, Lane, Sampling
from nextchar.runner import ModelGraph, StepRunner

LANES = (1, 8, 64, 256)
_CHARS_A_LANE = 256
_STEPS = 16  # steps between two looks at the clock


def measure(hidden_size: int, num_layers: int, *, rounds: int) -> dict[str, dict[str, float]]:
    """Rates by number of lanes, then by contender."""
    network = make_network(hidden_size, num_layers)
    return {str(n): rates(_contenders(network, n), rounds=rounds) for n in LANES}


def _contenders(network: Network, num_lanes: int) -> dict[str, Work]:
    return {
        "engine-int8": _engine(network.int8, num_lanes),
        "step-int8": _step(network.int8, num_lanes),
        "step-float32": _step(network.float32, num_lanes),
        "lstm-operator": _operator(network, num_lanes),
        "torch": _torch(network, num_lanes),
        "roofline-int8": int8_products(network, num_lanes),
        "roofline-float32": float32_products(network, num_lanes),
    }


def _engine(graph: ModelGraph, num_lanes: int) -> Work:
    done: queue.SimpleQueue[int] = queue.SimpleQueue()

    class Counter:
        def receive(self, _lane: Lane, delivery: Delivery, /) -> None:
            if delivery.last:
                done.put(1)

    def deliver(outbox: Outbox) -> None:
        for lane, delivery in outbox:
            lane.receiver.receive(lane, delivery)

    engine = Engine(StepRunner(graph, num_lanes), deliver=deliver, max_waiting=num_lanes)
    engine.__enter__()  # lives as long as the benchmark: a daemon thread
    empty = np.empty(0, dtype=np.int64)

    def work() -> int:
        sampling = [Sampling(_CHARS_A_LANE, seed, 0.8, chars_per_delivery=16) for seed in range(num_lanes)]
        engine.submit([Lane(empty, Counter(), sampling=s) for s in sampling])
        for _ in range(num_lanes):
            done.get()
        return num_lanes * _CHARS_A_LANE

    return work


def _step(graph: ModelGraph, num_lanes: int) -> Work:
    runner = StepRunner(graph, num_lanes)
    for row in range(num_lanes):
        runner.reset(row)
    runner.ids[:] = np.arange(num_lanes) % graph.vocabulary.num_outputs

    def work() -> int:
        for _ in range(_STEPS):
            runner.step(num_lanes)
        return _STEPS * num_lanes

    return work


def _operator(network: Network, num_lanes: int) -> Work:
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


def _torch(network: Network, num_lanes: int) -> Work:
    torch.set_num_threads(1)
    ids = torch.zeros((1, num_lanes), dtype=torch.int64)

    def work() -> int:
        state = None
        with torch.inference_mode():
            for _ in range(4):
                _, state = network.torch(ids, state)
        return 4 * num_lanes

    return work
