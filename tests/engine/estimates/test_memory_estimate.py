"""The memory of rows, strings and states is what docs/performance.md says, within a fifth."""

import gc
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.engine_lanes import GRAPH, VOCABULARY, make_trie
from support.tiny_models import TinyModel

from nextchar.engine.estimates.memory_estimate import (
    STRING_BYTES,
    STRING_CHAR_BYTES,
    bulk_lane_bytes,
    lane_bytes,
)
from nextchar.engine.lane import ScoreJob
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.score_batch import ScoreBatch
from nextchar.engine.state_pool import StatePool
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


@pytest.mark.parametrize(
    ("row", "estimate"), [("a row (there are", lane_bytes), ("a row for bulk scoring", bulk_lane_bytes)]
)
def test_an_estimate_is_the_formula_of_the_page(row: str, estimate: Callable[[int, int], int]) -> None:
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| ([^|;]*)", PAGE.read_text(), re.MULTILINE)
    assert found is not None
    formula = found[1].replace(",", "").replace("·", "*")
    for state, symbols in ((0, 0), (1000, 0), (0, 70), (5120, 69)):
        value = formula.replace("state", str(state)).replace("symbols", str(symbols))
        terms = [[int(number) for number in term.split("*")] for term in value.split("+")]
        assert estimate(state, symbols) == sum(np.prod(term) for term in terms)


@pytest.fixture(scope="module")
def wide() -> ModelGraph:
    return TinyModel(hidden_size=256).step()


def taken(make: Callable[[], object]) -> int:
    """Returns the bytes that are held once something is made."""
    gc.collect()
    tracemalloc.start()
    made = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return size


@pytest.mark.parametrize("small", [None, TinyModel("rnn_tanh", 64, 1)], ids=["lstm", "rnn_tanh"])
def test_a_lane(wide: ModelGraph, small: TinyModel | None) -> None:
    graph = wide if small is None else small.step()

    def lanes(count: int) -> LaneBatch:
        return LaneBatch(StepRunner(graph, count, 16), EngineStats())

    per_lane = (taken(lambda: lanes(300)) - taken(lambda: lanes(100))) / 200
    assert per_lane == pytest.approx(lane_bytes(graph.state_bytes, graph.vocabulary.num_outputs), rel=0.2)


def test_a_row_for_bulk_scoring(wide: ModelGraph) -> None:
    def rows(count: int) -> ScoreBatch:
        return ScoreBatch(StepRunner(wide, count), EngineStats())

    per_row = (taken(lambda: rows(300)) - taken(lambda: rows(100))) / 200
    assert per_row == pytest.approx(bulk_lane_bytes(wide.state_bytes, wide.vocabulary.num_outputs), rel=0.2)


def test_a_string_that_waits() -> None:
    rng = np.random.default_rng(0)
    strings = [rng.integers(0, 20, 12) for _ in range(2000)]
    trie = make_trie(strings, VOCABULARY.begin_id, strings[0][:0])
    own = STRING_BYTES - 16  # the rest is a branch, of which there are fewer than strings
    expected = STRING_CHAR_BYTES * trie.num_nodes + 16 * len(trie.heads) + own * len(strings)
    found = taken(lambda: make_trie(strings, VOCABULARY.begin_id, strings[0][:0]))
    bulk = ScoreBatch(StepRunner(GRAPH, 4), EngineStats())
    found += taken(lambda: bulk.join(ScoreJob(trie), 0.0))
    assert found == pytest.approx(expected, rel=0.2)


def test_a_kept_state(wide: ModelGraph) -> None:
    runner = StepRunner(wide, 256)

    def pool() -> StatePool:
        made = StatePool(runner)
        made.keep(np.arange(192), [1] * 192)  # fills the room for 256 with the initial state and the first 63
        made.keep(np.arange(63), [1] * 63)
        return made

    assert taken(pool) / 256 == pytest.approx(wide.state_bytes, rel=0.2)
