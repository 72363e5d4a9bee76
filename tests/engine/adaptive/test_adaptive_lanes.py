"""Adaptive lanes in the engine: the same bits alone, among others, in pieces, resumed and forked."""

import numpy as np
import pytest
from support.engine_lanes import GRAPH, Batch, Inbox, run, scheduler
from support.tiny_models import STEP_GRAPHS, TinyModel

from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.adaptive.tables import MAX_TABLE_BYTES, table_bytes
from nextchar.engine.lane import Lane, LaneTrace, Penalties, Sampling
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import Level
from nextchar.errors import InternalError
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

EMPTY = empty_memory(Adaptive(window=1024, learns_drawn=True))
SENTENCE = "the cat sat on the mat. the dog sat on the log.\n"


def text_ids(graph: ModelGraph, count: int, seed: int = 0) -> np.ndarray:
    """Text that repeats itself, with some noise: contexts are found and not found."""
    ids = np.resize(graph.vocabulary.encode(SENTENCE), count)
    noise = np.random.default_rng(seed)
    changed = noise.random(count) < 0.1
    ids[changed] = noise.integers(0, graph.vocabulary.num_outputs, int(changed.sum()))
    return ids


def memory_bytes(memory: Memory | None) -> tuple[object, ...]:
    assert memory is not None
    return memory.position, *(a.tobytes() for a in (memory.ids, memory.learned, memory.weights))


def everything(lane: Lane, inbox: Inbox) -> tuple[object, ...]:
    """All that a lane delivers and keeps, as bytes."""
    own = [d.model_logprobs for d in inbox.deliveries if d.model_logprobs is not None]
    tops = [d.top_logprobs.tobytes() for d in inbox.deliveries if d.top_logprobs is not None]
    last = inbox.deliveries[-1]
    ends = [d.tobytes() for d in (last.distribution, last.model_distribution) if d is not None]
    kept = memory_bytes(lane.kept) if lane.kept else None
    return inbox.bytes(), np.concatenate(own or [[]]).tobytes(), b"".join(tops), ends, kept


def mixed_lanes(graph: ModelGraph, count: int) -> list[Lane]:
    """Lanes of every kind, of which two in three adapt."""
    return [lane_of_kind(graph, i) for i in range(count)]


def lane_of_kind(graph: ModelGraph, i: int) -> Lane:
    given = text_ids(graph, (7 * i) % 40 + (i == 10) * 520, seed=i)
    sampling = Sampling(
        30,
        seed=i,
        temperature=0.0 if i % 8 == 1 else 0.9,
        top_p=0.9 if i % 3 == 0 else 1.0,
        penalties=Penalties(0.1, 0.0, 1.1) if i % 5 == 0 else Penalties(),
        stop=((3, 1),) if i % 7 == 0 else (),
        chars_per_delivery=4 if i % 2 else 0,
    )
    return Lane(
        given,
        sampling=sampling if i % 2 else None,
        num_top=3 if i % 9 == 0 else 0,
        wants_distribution=i % 2 == 0,
        keeps_state=i % 5 == 2,
        memory=EMPTY if i % 3 else None,
    )


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_adaptive_lanes_give_the_same_bits_alone_and_among_others(cell: str, precision: str) -> None:
    graph = TinyModel(cell).step(precision)  # type: ignore[arg-type]
    lanes = mixed_lanes(graph, 16)
    together = [everything(*pair) for pair in zip(lanes, run(lanes, graph, max_lanes=11), strict=True)]
    alone = []
    for lane in mixed_lanes(graph, 16):
        (inbox,) = run([lane], graph, max_lanes=1)
        alone.append(everything(lane, inbox))
    assert together == alone


def fed(ids: np.ndarray, start: Lane | None = None, memory: Memory = EMPTY) -> tuple[Lane, list[float]]:
    """Reads ids from the state and memory that a lane has kept; returns the lane that did."""
    if start is not None:
        assert start.kept is not None
        memory = start.kept
    lane = Lane(ids, start=start.state if start else None, memory=memory, keeps_state=True)
    (inbox,) = run([lane], max_lanes=1)
    return lane, inbox.logprobs


LONG = text_ids(GRAPH, 2500)  # longer than the window: tables grow, then the window moves


@pytest.fixture(scope="module")
def whole() -> tuple[Lane, list[float]]:
    return fed(LONG)


@pytest.mark.parametrize("cuts", [[1], [511, 512, 513], [1023, 1024, 1025], [700, 1400, 2100, 2499]])
def test_a_text_in_pieces_is_the_text(whole: tuple[Lane, list[float]], cuts: list[int]) -> None:
    """Each piece opens the memory that the one before has kept: tables built at once equal grown ones."""
    lane, logprobs = None, []
    for piece in np.split(LONG, cuts):
        lane, scores = fed(piece, lane)
        logprobs += scores
    assert logprobs == whole[1]
    assert lane is not None
    assert memory_bytes(lane.kept) == memory_bytes(whole[0].kept)


def test_a_fork_does_not_change_where_it_came_from() -> None:
    trunk, _ = fed(LONG[:800])
    before = memory_bytes(trunk.kept)
    one, other = fed(LONG[800:900], trunk), fed(LONG[900:1000], trunk)
    assert one[1] != other[1]
    assert fed(LONG[800:900], trunk)[1] == one[1]
    assert memory_bytes(trunk.kept) == before


def test_drawn_text_is_learned_as_given_text_is() -> None:
    start, _ = fed(LONG[:300])
    drawing = Lane(
        LONG[:0], start=start.state, memory=start.kept, keeps_state=True, sampling=Sampling(200, seed=1)
    )
    (inbox,) = run([drawing])
    reading, logprobs = fed(np.array(inbox.ids), start)
    assert logprobs == inbox.logprobs
    assert memory_bytes(reading.kept) == memory_bytes(drawing.kept)


def test_drawn_text_is_not_learned_where_that_is_off() -> None:
    given_only = empty_memory(Adaptive(window=1024, learns_drawn=False))
    start, _ = fed(LONG[:300], memory=given_only)
    drawing = Lane(
        LONG[:5], start=start.state, memory=start.kept, keeps_state=True, sampling=Sampling(40, seed=1)
    )
    run([drawing])
    assert start.kept is not None
    assert drawing.kept is not None
    assert drawing.kept.learned.tolist() == [True] * 305 + [False] * 40
    after, _ = fed(LONG[:5], start)
    assert after.kept is not None
    assert drawing.kept.weights.tobytes() == after.kept.weights.tobytes()
    # What was drawn stays out of the tables when they are built, too.
    whole = fed(LONG[345:700], drawing)
    half = fed(LONG[345:500], drawing)
    assert half[1] + fed(LONG[500:700], half[0])[1] == whole[1]


def test_a_batch_tells_how_many_lanes_adapt_and_frees_their_tables() -> None:
    batch = Batch(4)
    lanes = [Lane(LONG[:50], memory=memory) for memory in (EMPTY, None, EMPTY)]
    told = []
    for lane in lanes:
        batch.join(lane)
        told.append((batch.batch.num_adaptive, batch.batch.table_bytes > 0))
    assert told == [(1, True), (1, True), (2, True)]
    batch.leave(lanes[0])
    assert batch.batch.num_adaptive == 1
    batch.to_end()
    assert (batch.batch.num_adaptive, batch.batch.table_bytes) == (0, 0)


def test_an_engine_that_fails_frees_them_too() -> None:
    batch = Batch(2)
    batch.join(Lane(LONG[:50], memory=EMPTY))
    batch.batch.fail(InternalError("a test"))
    assert (batch.batch.num_adaptive, batch.batch.table_bytes) == (0, 0)


def test_what_repeats_is_learned() -> None:
    lane = Lane(np.tile(text_ids(GRAPH, 60), 5), memory=EMPTY)
    (inbox,) = run([lane])
    own = np.concatenate([d.model_logprobs for d in inbox.deliveries if d.model_logprobs is not None])
    assert np.mean(inbox.logprobs[120:]) > -1.0 > np.mean(own[120:])


def test_the_distribution_after_a_text_is_what_its_next_symbol_is_worth() -> None:
    asking = Lane(LONG[:700], memory=EMPTY, wants_distribution=True, keeps_state=True)
    (inbox,) = run([asking])
    last = inbox.deliveries[-1]
    assert last.distribution is not None
    assert last.model_distribution is not None
    assert np.exp(last.distribution).sum() == pytest.approx(1, abs=1e-6)
    assert np.exp(last.model_distribution).sum() == pytest.approx(1, abs=1e-6)
    _, logprobs = fed(LONG[:701])
    assert logprobs[-1] == last.distribution[LONG[700]]
    assert memory_bytes(asking.kept) == memory_bytes(fed(LONG[:700])[0].kept)


def test_a_trace_of_a_text_that_is_learned_holds_what_each_part_of_it_leads_to() -> None:
    """Among lanes that learn in blocks, and one that draws."""
    ids, trace = LONG[:600], LaneTrace(distributions=True)
    traced = Lane(ids, memory=EMPTY, wants_distribution=True, trace=trace)
    others = [Lane(LONG, memory=EMPTY), Lane(LONG[:0], Sampling(50, seed=1), memory=EMPTY), Lane(LONG)]
    inbox = run([traced, *others])[0]
    assert len(trace.distributions) == len(trace.model_distributions) == len(ids) + 1
    last = inbox.wait()
    assert np.array_equal(trace.distributions[-1], last.distribution)
    assert np.array_equal(trace.model_distributions[-1], last.model_distribution)
    assert [row[k] for row, k in zip(trace.distributions, ids, strict=False)] == fed(ids)[1]
    for count in (1, 300, 512, 513):
        (alone,) = run([Lane(ids[:count], memory=EMPTY, wants_distribution=True)])
        assert np.array_equal(alone.wait().distribution, trace.distributions[count])
        assert np.array_equal(alone.wait().model_distribution, trace.model_distributions[count])


def test_adaptive_lanes_wait_for_tables_and_plain_ones_pass_them() -> None:
    two = 2 * table_bytes(1024, EMPTY.adaptive)
    batch = LaneBatch(StepRunner(GRAPH, 8, 16), EngineStats(), two)
    queue = scheduler(max_lanes=8, max_sampling=8)
    lanes = [Lane(LONG[:1100], memory=EMPTY if k != 4 else None) for k in range(5)]
    queue.add(lanes)
    assert queue.admit_lanes(0, 0, batch.reserve) == [lanes[0], lanes[1], lanes[4]]
    for lane in (lanes[0], lanes[1], lanes[4]):
        batch.join(lane, 0.0)
    assert queue.admit_lanes(3, 0, batch.reserve) == []
    batch.leave(lanes[1])
    assert queue.admit_lanes(2, 0, batch.reserve) == [lanes[2]]


def test_an_engine_has_room_for_the_tables_of_one_lane_at_least() -> None:
    with pytest.raises(
        ValueError, match="max_table_bytes is 4194303, but one adaptive lane may need 4194304"
    ):
        EngineOptions(1, 0, 1, 1, max_table_bytes=MAX_TABLE_BYTES - 1)


def test_sixty_four_mixed_lanes_give_the_bits_that_each_has_alone() -> None:
    together = mixed_lanes(GRAPH, 64)
    results = [everything(*pair) for pair in zip(together, run(together, max_lanes=64), strict=True)]
    for lane, result in zip(mixed_lanes(GRAPH, 64), results, strict=True):
        (inbox,) = run([lane], max_lanes=1)
        assert everything(lane, inbox) == result


EDGE_TEXTS = {
    "one repeated character": GRAPH.vocabulary.encode("a" * 3000),
    "unknown characters": GRAPH.vocabulary.encode("\N{SNOWMAN}" * 1500),
    "random symbols": np.random.default_rng(1).integers(0, GRAPH.vocabulary.num_outputs, 3000),
}


@pytest.mark.parametrize("ids", EDGE_TEXTS.values(), ids=EDGE_TEXTS)
def test_any_text_is_read_and_continued_with_finite_numbers_and_no_growth(ids: np.ndarray) -> None:
    batch, start = Batch(1), (None, EMPTY)
    for sampling in (None, Sampling(100, seed=1)):
        given = LONG[:0] if sampling else ids
        lane = Lane(given, sampling, start=start[0], memory=start[1], keeps_state=True)
        batch.join(lane)
        while batch.batch.lanes:
            assert batch.batch.table_bytes <= table_bytes(1024, EMPTY.adaptive)
            batch.step(Level.SAMPLING, 16)
        found = np.concatenate([delivery.logprobs for delivery in batch.deliveries[lane]])
        assert np.isfinite(found).all()
        assert lane.kept is not None
        assert len(lane.kept.ids) < EMPTY.adaptive.window
        start = (lane.state, lane.kept)
