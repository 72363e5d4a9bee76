"""Memories of adaptive lanes: edge texts, tables grown and built, and their bytes."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nextchar.engine.adaptive.contexts import WAYS
from nextchar.engine.adaptive.lanes import AdaptiveLanes
from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.mixture import Workspace, workspace_bytes
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.adaptive.packing import pack_memories, unpack_memories
from nextchar.engine.adaptive.step_mixer import NUM_WEIGHTS
from nextchar.engine.adaptive.tables import MAX_TABLE_BYTES

SMALL = Adaptive(window=1024)
YES = np.ones(1, dtype=np.bool_)


def flat(num_symbols: int, rows: int = 1) -> np.ndarray:
    return np.full((rows, num_symbols), -np.log(num_symbols), dtype=np.float32)


def network(num_symbols: int, seed: int, rows: int = 1) -> np.ndarray:
    """Log-probabilities of a network that says something."""
    scores = np.random.default_rng(seed).normal(0, 2, (rows, num_symbols))
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def new_lanes(max_lanes: int, num_symbols: int) -> AdaptiveLanes:
    return AdaptiveLanes(max_lanes, num_symbols, max_lanes * MAX_TABLE_BYTES)


def opened(lanes: AdaptiveLanes, memory: Memory) -> int:
    """Opens a memory with room to read as much as it likes."""
    reserved = lanes.reserve(memory, memory.adaptive.window, ends_known=True)
    assert reserved is not None
    return lanes.open(memory, reserved)


class Reader:
    """Reads a text in one place, and keeps what each symbol was worth."""

    def __init__(self, num_symbols: int, memory: Memory) -> None:
        self.lanes, self._num_symbols = new_lanes(2, num_symbols), num_symbols
        self.place = opened(self.lanes, memory)
        self.worth: list[float] = []

    def read(self, ids: np.ndarray) -> "Reader":
        at = np.array([self.place])
        for symbol in ids:
            mixed = self.lanes.mix(at, network(self._num_symbols, int(symbol)))
            self.worth.append(float(mixed[0, symbol]))
            self.lanes.learn(np.array([symbol]), counts=YES, reads=YES)
        return self

    @property
    def memory(self) -> Memory:
        return self.lanes.memory(self.place)


def same(one: Memory, other: Memory) -> bool:
    arrays = ("ids", "learned", "weights")
    equal = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    return equal and (one.adaptive, one.position) == (other.adaptive, other.position)


def some(count: int, num_symbols: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, num_symbols, count)


EDGE_TEXTS = {
    "one repeated symbol": (np.zeros(3000, dtype=np.int64), 2),
    "the last symbol throughout": (np.full(1500, 30), 31),
    "random": (some(3000, 256), 256),
    "two by turns": (np.arange(3000) % 2, 30),
    "20,000 symbols": (some(300, 20_000), 20_000),
    "65,536 symbols": (some(20, 65_536), 65_536),
    "one symbol in all": (np.zeros(100, dtype=np.int64), 1),
}


@pytest.mark.parametrize(("ids", "num_symbols"), EDGE_TEXTS.values(), ids=EDGE_TEXTS)
def test_probabilities_sum_to_one_on_any_text(ids: np.ndarray, num_symbols: int) -> None:
    reader = Reader(num_symbols, empty_memory(SMALL)).read(ids)
    mixed = reader.lanes.mix(np.array([reader.place]), flat(num_symbols))
    assert np.isfinite(mixed).all()
    assert np.exp(mixed.astype(np.float64)).sum() == pytest.approx(1, abs=1e-6)
    assert np.isfinite(reader.worth).all()
    assert (np.array(reader.worth) <= 1e-6).all()
    assert len(reader.memory.ids) < SMALL.window


def test_what_a_network_never_says_stays_finite() -> None:
    lanes = new_lanes(1, 4)
    at = np.array([opened(lanes, empty_memory(SMALL))])
    impossible = np.array([[0.0, -np.inf, -200.0, -np.inf]], dtype=np.float32)
    for symbol in [1, 2, 3, 0] * 50:
        mixed = lanes.mix(at, impossible)
        assert np.isfinite(mixed).all()
        lanes.learn(np.array([symbol]), counts=YES, reads=YES)
    assert mixed[0, 0] < 0


def test_memory_does_not_grow_once_the_window_is_full() -> None:
    reader = Reader(5, empty_memory(SMALL)).read(some(1200, 5))
    before = reader.lanes.num_bytes
    reader.read(some(3000, 5, seed=1))
    assert reader.lanes.num_bytes == before


@pytest.mark.parametrize("orders", [(2, 3, 4, 6), (1, 8)])
def test_tables_built_at_once_are_those_that_grew(orders: tuple[int, ...]) -> None:
    """Wherever a memory is opened again: as tables grow, and before and after the window moves."""
    ids = np.concatenate([some(900, 3), some(400, 11, seed=1)])
    grown, memories = Reader(11, empty_memory(Adaptive(orders, 1024))), {}
    for start, cut in pairwise([0, 1, 7, 255, 511, 512, 1023, 1024, 1151, 1152, 1153, len(ids)]):
        memories[start] = grown.memory
        grown.read(ids[start:cut])
    for cut, memory in memories.items():
        reopened = Reader(11, memory).read(ids[cut : cut + 60])
        assert reopened.worth == grown.worth[cut : cut + 60], cut


def test_a_place_is_given_to_the_next_memory_as_new() -> None:
    lanes = new_lanes(1, 9)
    place = opened(lanes, Reader(9, empty_memory(SMALL)).read(some(700, 9)).memory)
    lanes.close(place, None)
    assert lanes.num_bytes == 0
    at = np.array([opened(lanes, empty_memory(SMALL))])
    fresh = new_lanes(1, 9)
    assert np.array_equal(
        lanes.mix(at, flat(9)), fresh.mix(np.array([opened(fresh, empty_memory(SMALL))]), flat(9))
    )


def test_the_text_decides_what_is_forgotten_not_how_it_was_cut() -> None:
    for position in range(5000):
        start = SMALL.window_start(position)
        held = position - start
        assert held < SMALL.window
        assert held >= min(position, SMALL.window - SMALL.window // 8)
        assert SMALL.window_start(SMALL.next_move(position)) > start
        assert SMALL.window_start(SMALL.next_move(position) - 1) == start


def test_packed_memories_are_those_that_were_packed() -> None:
    ids = some(3000, 200)
    empty = empty_memory(SMALL)
    old = Reader(200, empty).read(ids[:1500]).memory
    anchor = Reader(200, old).read(ids[1500:1600]).memory
    here = Reader(200, anchor).read(ids[1600:1800]).memory
    elsewhere = Reader(200, old).read(ids[2000:2100]).memory
    gaps = replace(here, learned=some(len(here.ids), 2, seed=3).astype(np.bool_))
    for memories in ([], [empty], [here], [here, anchor], [here, empty, anchor, elsewhere, old, gaps]):
        unpacked = unpack_memories(pack_memories(memories))
        assert len(unpacked) == len(memories)
        assert all(same(*pair) for pair in zip(unpacked, memories, strict=True))
    assert len(pack_memories([here, anchor])) < len(pack_memories([here])) + 700


def test_packed_memories_hold_symbols_of_large_vocabularies() -> None:
    memory = Reader(20_000, empty_memory(SMALL)).read(some(40, 20_000)).memory
    (unpacked,) = unpack_memories(pack_memories([memory]))
    assert same(unpacked, memory)


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"orders": ()},
        {"orders": (2, 2)},
        {"orders": (0, 1)},
        {"orders": (9,)},
        {"orders": (1, 2, 3, 4, 5)},
    ):
        with pytest.raises(ValueError, match=re.escape(f"orders are {wrong['orders']}: give")):
            Adaptive(**wrong)
    for window in (0, 1000, 1 << 20):
        with pytest.raises(ValueError, match=f"window is {window}: give a power of two from 1024 to 65536"):
            Adaptive(window=window)


@pytest.mark.parametrize("num_symbols", [1, 2, 5, 8, 31, 32, 33, 64, 65, 100, 255, 511, 1024, 1025])
def test_a_lane_is_mixed_with_the_same_bits_wherever_its_inputs_are(num_symbols: int) -> None:
    """In blocks of any steps and lanes, and alone."""
    numbers = np.random.default_rng(num_symbols)
    for steps, n in ((1, 2), (3, 5), (2, 17), (16, 1)):
        inputs = numbers.normal(-5, 3, (NUM_WEIGHTS + 1, steps * n, num_symbols)).astype(np.float32)
        inputs[-1] = 1
        weights = np.round(numbers.normal(800, 300, (4 * n, NUM_WEIGHTS))).astype(np.float32)
        rows = np.arange(4 * n).reshape(4, n)
        together, alone = Workspace(steps, n, num_symbols), Workspace(1, 1, num_symbols)
        together.inputs[:] = inputs
        for step in range(steps):
            together._mixer.mix(step, weights, rows)
            for lane in range(n):
                alone.inputs[:, 0] = inputs[:, step * n + lane]
                alone._mixer.mix(0, weights, rows[:, lane : lane + 1])
                for name in ("scores", "_sums"):
                    one, all_of_them = (getattr(work._mixer, name) for work in (alone, together))
                    assert one[0][0].tobytes() == all_of_them[step][lane].tobytes()


def test_arrays_of_steps_are_kept_within_their_bytes() -> None:
    """Blocks of many sizes, of many symbols: each has arrays of its own, and old ones are dropped."""
    lanes = new_lanes(8, 20_000)
    places = np.array([opened(lanes, empty_memory(SMALL)) for _ in range(8)])
    for n in range(1, 9):
        lanes.mix(places[:n], flat(20_000, n))
        kept = sum(array_bytes(workspace) for workspace in lanes._workspaces._kept.values())
        assert kept < 34 << 20
    assert len(lanes._workspaces._kept) == 2
    assert list(lanes._workspaces._kept) == [(1, 7), (1, 8)]
    for (steps, n), workspace in lanes._workspaces._kept.items():
        assert array_bytes(workspace) == pytest.approx(workspace_bytes(steps, n, 20_000), rel=0.01)


def array_bytes(workspace: Workspace) -> int:
    """The bytes of all arrays of a workspace that are no view of another."""
    parts = (workspace, workspace._mixer)
    found = [array for part in parts for array in vars(part).values() if isinstance(array, np.ndarray)]
    return sum({id(base): base.nbytes for base in (a if a.base is None else a.base for a in found)}.values())


def test_a_row_keeps_the_occurrences_read_last() -> None:
    """A context that occurs more often than a row holds is worth what came after it lately."""
    ids = np.tile([0, 1], 200)
    changed = np.tile([0, 2], WAYS)
    reader = Reader(3, empty_memory(Adaptive((1,), 1024))).read(np.concatenate([ids, changed, [0]]))
    mixed = reader.lanes.mix(np.array([reader.place]), flat(3))
    assert mixed[0].argmax() == 2


@pytest.mark.parametrize("num_symbols", [2, 11, 300, 1100])
def test_a_block_read_at_once_is_what_its_symbols_are_one_by_one(num_symbols: int) -> None:
    """For lanes together, over texts that repeat, where tables grow and windows move within blocks."""
    texts = np.stack([some(1400, num_symbols), np.arange(1400) % 3 % num_symbols, np.zeros(1400)]).astype(int)
    starts = [empty_memory(SMALL), empty_memory(Adaptive((1, 8), 1024)), empty_memory(SMALL)]
    readers = [Reader(num_symbols, memory) for memory in starts]
    for reader, ids in zip(readers, texts, strict=True):
        reader.read(ids)
    lanes = new_lanes(3, num_symbols)
    places = np.array([opened(lanes, memory) for memory in starts])
    sizes = np.random.default_rng(1)
    at, worth = 0, []
    while at < texts.shape[1]:
        block = texts[:, at : at + int(sizes.integers(1, 24))].T
        values = [[network(num_symbols, int(symbol))[0] for symbol in step] for step in block]
        worth.append(lanes.read(places, np.array(values), block))
        at += len(block)
    for k, (reader, place) in enumerate(zip(readers, places, strict=True)):
        assert np.concatenate(worth)[:, k].tolist() == reader.worth
        assert same(lanes.memory(int(place)), reader.memory)


def test_a_lane_does_not_grow_past_its_millionth_character() -> None:
    """A memory is put to where it is after so many; ten thousand are read from there."""
    start = 1_000_000 - 1_000_000 % 1024
    read = Reader(9, empty_memory(SMALL)).read(some(1024, 9)).memory
    late = replace(read, position=start)
    assert SMALL.window_start(start) == late.first
    lanes = new_lanes(1, 9)
    at = np.array([opened(lanes, late)])
    num_bytes = lanes.num_bytes
    texts = some(start // 100, 9, seed=1).reshape(-1, 1)
    for block in np.array_split(texts, len(texts) // 16):
        worth = lanes.read(at, np.broadcast_to(flat(9), (len(block), 1, 9)), block)
        assert np.isfinite(worth).all()
    assert lanes.num_bytes == num_bytes
    memory = lanes.memory(int(at[0]))
    assert len(memory.ids) < SMALL.window
    assert memory.position == start + len(texts)
