"""Tables kept for lanes that go on: the bits of tables built anew, and no more bytes than there may be."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from support.engine_lanes import GRAPH, NOTHING

from nextchar.engine.adaptive.hot_tables import HotTables, HotUse, Reserved
from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.adaptive.tables import DEFAULT_TABLE_BYTES, TablePool, table_bytes
from nextchar.engine.lane import Lane, LaneState, Sampling
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.work import Delivery, Level
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

SMALL = Adaptive(window=1024, learns_drawn=True)
LARGEST = table_bytes(1024, SMALL)
NUM_SYMBOLS = GRAPH.vocabulary.num_outputs


@dataclass(frozen=True)
class Here:
    """Where a text goes on: with the state and memory of its last lane."""

    start: LaneState | None
    memory: Memory


def new_batch(max_table_bytes: int = DEFAULT_TABLE_BYTES) -> LaneBatch:
    return LaneBatch(StepRunner(GRAPH, 4, 16), EngineStats(), max_table_bytes)


def run_lane(batch: LaneBatch, lane: Lane) -> list[Delivery]:
    assert batch.reserve(lane)
    assert batch.join(lane, 0.0) is None
    found = []
    while batch.lanes:
        found += [delivery for _, delivery in batch.step(Level.SAMPLING, 16)]
    return found


def lane_at(here: Here, kind: int, ids: np.ndarray) -> Lane:
    """One of the lanes of a session: fed, fed and asked, drawn, asked, scored."""
    sampling = Sampling(len(ids) or 1, seed=len(ids)) if kind == 2 else None
    given = (ids, ids, ids[:3], NOTHING, ids)[kind]
    asks, keeps = kind in (1, 3), kind in (0, 1, 2) and (sampling is not None or len(given) > 0)
    return Lane(
        given, sampling, wants_distribution=asks, start=here.start, keeps_state=keeps, memory=here.memory
    )


def as_bytes(lane: Lane, deliveries: list[Delivery]) -> list[object]:
    arrays = [np.concatenate([d.logprobs for d in deliveries]), deliveries[-1].distribution]
    if lane.kept is not None:
        arrays += [lane.kept.ids, lane.kept.learned, lane.kept.weights]
    return [None if array is None else array.tobytes() for array in arrays]


@pytest.mark.parametrize("max_table_bytes", [DEFAULT_TABLE_BYTES, 3 * LARGEST, LARGEST])
def test_lanes_give_the_same_bits_with_kept_tables_and_with_tables_built_anew(max_table_bytes: int) -> None:
    """Texts that are fed, drawn, asked, scored, forked and rewound by turns, where windows move."""
    chance, batch = np.random.default_rng(1), new_batch(max_table_bytes)
    texts = [[Here(None, empty_memory(SMALL))] for _ in range(3)]
    for _ in range(60):
        text = texts[int(chance.integers(len(texts)))]
        here = text[-1] if chance.random() < 0.8 else text[int(chance.integers(len(text)))]
        ids = chance.integers(0, NUM_SYMBOLS, int(chance.integers(1, 120))) % int(chance.integers(1, 9))
        kind = int(chance.integers(5))
        # Stored and read again, the arrays of a memory are others.
        stored = replace(here, memory=replace(here.memory, ids=here.memory.ids.copy()))
        warm, cold = lane_at(stored, kind, ids), lane_at(here, kind, ids)
        assert as_bytes(warm, run_lane(batch, warm)) == as_bytes(cold, run_lane(new_batch(), cold))
        assert batch.table_bytes == 0
        assert batch.hot_tables.num_bytes <= max_table_bytes
        if warm.keeps_state:
            assert warm.kept is not None
            text.append(Here(warm.state, warm.kept))
    assert batch.hot_tables.num_hits > 0
    assert batch.hot_tables.num_misses > 0


def fed(batch: LaneBatch, count: int, symbol: int = 0) -> Here:
    lane = Lane(np.full(count, symbol), memory=empty_memory(SMALL), keeps_state=True)
    run_lane(batch, lane)
    assert lane.kept is not None
    return Here(lane.state, lane.kept)


def test_a_lane_that_goes_on_finds_its_table_as_often_as_it_likes() -> None:
    batch = new_batch()
    here = fed(batch, 700)
    size = table_bytes(700, SMALL)
    assert batch.hot_tables == HotUse(num_tables=1, num_bytes=size)
    for kind in (3, 4, 4, 0):  # asked, scored twice, fed: only the last one moves it
        run_lane(batch, lane_at(here, kind, np.ones(5, dtype=np.int64)))
    assert batch.hot_tables == HotUse(1, size, num_hits=4)
    run_lane(batch, lane_at(here, 0, np.ones(7, dtype=np.int64)))  # here again, which has been left
    assert batch.hot_tables == HotUse(2, 2 * size, num_hits=4, num_misses=1)


def test_many_lanes_that_begin_with_one_memory_build_its_table_once() -> None:
    here = fed(new_batch(), 700)
    batch, texts = new_batch(), [np.full(9, k) for k in range(4)]
    lanes = [lane_at(here, 4, ids) for ids in texts]
    assert all(map(batch.reserve, lanes))
    found: dict[Lane, list[Delivery]] = {lane: [] for lane in lanes}
    for lane in lanes:
        batch.join(lane, 0.0)
    while batch.lanes:
        for work, delivery in batch.step(Level.SAMPLING, 16):
            assert isinstance(work, Lane)
            found[work].append(delivery)
    assert batch.hot_tables == HotUse(1, table_bytes(700, SMALL), num_hits=3, num_misses=1)
    for lane, ids in zip(lanes, texts, strict=True):
        cold = lane_at(here, 4, ids)
        assert as_bytes(lane, found[lane]) == as_bytes(cold, run_lane(new_batch(), cold))


def test_a_table_that_outgrows_its_rows_is_found_too() -> None:
    batch = new_batch()
    here = fed(batch, 300)
    ids = np.arange(600) % 3
    warm, cold = lane_at(here, 0, ids), lane_at(here, 0, ids)
    assert as_bytes(warm, run_lane(batch, warm)) == as_bytes(cold, run_lane(new_batch(), cold))
    assert batch.hot_tables == HotUse(1, table_bytes(900, SMALL), num_hits=1)


def test_texts_that_only_end_alike_do_not_take_the_table_of_another() -> None:
    batch = new_batch()
    end = np.zeros(300, dtype=np.int64)
    lanes = [Lane(np.append(k, end), memory=empty_memory(SMALL), keeps_state=True) for k in (1, 2)]
    for lane in lanes:
        run_lane(batch, lane)
    for lane in lanes:
        assert lane.kept is not None
        here = Here(lane.state, lane.kept)
        warm, cold = lane_at(here, 4, end), lane_at(here, 4, end)
        assert as_bytes(warm, run_lane(batch, warm)) == as_bytes(cold, run_lane(new_batch(), cold))
    assert batch.hot_tables == HotUse(1, table_bytes(301, SMALL), num_misses=2)


def test_a_running_lane_takes_the_rows_of_kept_tables() -> None:
    batch = new_batch(LARGEST)
    for symbol in range(2):
        fed(batch, 50, symbol)
    assert batch.hot_tables == HotUse(2, LARGEST)
    lane = Lane(np.zeros(1100, dtype=np.int64), memory=empty_memory(SMALL))
    run_lane(batch, lane)
    assert batch.hot_tables == HotUse()


def test_the_table_that_was_used_longest_ago_makes_room() -> None:
    size = table_bytes(50, SMALL)
    hot = HotTables(TablePool(3 * size))
    memories = [replace(empty_memory(SMALL), position=k, ids=np.full(k, 1, np.uint16)) for k in (1, 2, 3, 4)]
    memories = [replace(memory, learned=np.ones(memory.position, np.bool_)) for memory in memories]

    def reserve(memory: Memory) -> Reserved:
        reserved = hot.reserve(memory, 0, ends_known=True)
        assert reserved is not None
        return reserved

    for memory in memories[:3]:
        hot.keep(memory, reserve(memory).run)
    hot.keep(memories[0], reserve(memories[0]).run)
    new = reserve(memories[3])
    assert not new.is_built
    assert [reserve(memory).is_built for memory in (memories[0], memories[2])] == [True, True]
    assert hot.reserve(memories[1], 0, ends_known=True) is None
