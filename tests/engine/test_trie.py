"""A trie holds its strings, reads a shared prefix once, and scores like the plain loop, bit for bit."""

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_lanes import GRAPH, VOCABULARY, gathered, make_trie, run, some_ids
from support.tiny_models import LINES, TinyModel

from nextchar.engine import trie as trie_module
from nextchar.engine.lane import Lane, ScoreJob
from nextchar.engine.score_batch import ScoreBatch
from nextchar.engine.trie import Trie, TrieBuilder, build_trie, split_sorted
from nextchar.engine.trie_walk import BranchQueue
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

BEGIN = VOCABULARY.begin_id
NO_CONTEXT = some_ids(0)
# Few symbols and short strings, so that prefixes are shared, and some strings are prefixes of others.
STRINGS = st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=40)


def arrays(strings: list[list[int]]) -> list[np.ndarray]:
    return [np.array(s, dtype=np.int64) for s in strings]


def children(trie: Trie, node: int) -> list[int]:
    branches = trie.heads[trie.first_branch[node] : trie.first_branch[node + 1]].tolist()
    return [node + 1, *branches] if trie.has_next[node] else branches


def walk(trie: Trie, node: int, prefix: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Returns every path down from a node, itself not included, as symbols."""
    found = set()
    for child in children(trie, node):
        way = (*prefix, int(trie.symbols[child]))
        found |= {way} | walk(trie, child, way)
    return found


def ids_after(context: np.ndarray, strings: list[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate([context, s]) for s in strings]


@given(STRINGS)
def test_the_ways_down_are_the_prefixes_of_the_strings(strings: list[list[int]]) -> None:
    trie = make_trie(arrays(strings), BEGIN, NO_CONTEXT)
    prefixes = {tuple(s[:k]) for s in strings for k in range(1, len(s) + 1)}
    assert walk(trie, 0, ()) == prefixes
    assert trie.num_nodes == 1 + len(prefixes)  # each is there once
    assert trie.num_strings == len(strings)


@given(STRINGS)
def test_nodes_know_what_is_below_them(strings: list[list[int]]) -> None:
    trie = make_trie(arrays(strings), BEGIN, NO_CONTEXT)
    for node in range(trie.num_nodes):
        assert trie.must_read[node] == bool(children(trie, node))
        run_nodes = range(node, node + int(trie.run[node]) - 1)
        assert all(children(trie, k) == [k + 1] and trie.must_read[k + 1] for k in run_nodes)
    for branch, head in enumerate(trie.heads.tolist()):
        longest = max((len(way) for way in walk(trie, head, ())), default=0)
        assert trie.reads[branch] == 1 + longest


@given(STRINGS, st.lists(st.integers(0, 2), max_size=3))
def test_values_of_nodes_come_back_in_the_order_of_the_strings(
    strings: list[list[int]], context: list[int]
) -> None:
    trie = make_trie(arrays(strings), BEGIN, np.array(context, dtype=np.int64))
    values = gathered(trie, trie.symbols.astype(np.float64))
    assert values.tolist() == [symbol for s in strings for symbol in s]


def scored(graph: ModelGraph, strings: list[np.ndarray], context: np.ndarray, **how: int) -> list[float]:
    trie = make_trie(strings, graph.vocabulary.begin_id, context)
    (inbox,) = run([ScoreJob(trie)], graph, **how)
    return gathered(trie, np.array(inbox.logprobs)).tolist()


@settings(max_examples=30, deadline=None)
@given(STRINGS, st.integers(1, 70), st.sampled_from([1, 4, 16]), st.integers(0, 140))
def test_a_job_scores_as_the_plain_loop_does_bit_for_bit(
    strings: list[list[int]], max_lanes: int, max_steps: int, num_context: int
) -> None:
    context = some_ids(num_context)
    found = scored(GRAPH, arrays(strings), context, max_lanes=max_lanes, max_steps=max_steps)
    plain = symbol_logprobs(GRAPH, ids_after(context, arrays(strings)))
    assert found == [x for logprobs in plain for x in logprobs[num_context:].tolist()]


@pytest.mark.parametrize("model", [LINES, TinyModel("rnn_tanh"), TinyModel("rnn_relu")], ids=lambda m: m.cell)
def test_many_strings_score_as_each_does_alone(model: TinyModel) -> None:
    graph, rng = model.step(), np.random.default_rng(0)
    strings = [rng.integers(0, 6, rng.integers(0, 30)) for _ in range(300)]
    together = scored(graph, strings, some_ids(0), max_lanes=17)
    alone = [x for inbox in run([Lane(s) for s in strings], graph, max_lanes=1) for x in inbox.logprobs]
    assert together == alone


def test_jobs_share_the_rows_and_keep_their_numbers() -> None:
    rng = np.random.default_rng(0)
    groups = [[rng.integers(0, 5, rng.integers(0, 40)) for _ in range(size)] for size in (1, 60, 7, 200, 3)]
    jobs = [ScoreJob(make_trie(strings, BEGIN, NO_CONTEXT)) for strings in groups * 3]
    found = run(jobs, max_lanes=13)
    together = [gathered(j.trie, np.array(i.logprobs)).tolist() for j, i in zip(jobs, found, strict=True)]
    assert together == [scored(GRAPH, strings, NO_CONTEXT) for strings in groups] * 3


def test_kept_states_are_let_go_when_jobs_end_or_are_dropped() -> None:
    rng = np.random.default_rng(0)
    bulk = ScoreBatch(StepRunner(GRAPH, 8), EngineStats())
    jobs = [
        ScoreJob(make_trie([rng.integers(0, 3, 9) for _ in range(300)], BEGIN, NO_CONTEXT)) for _ in range(3)
    ]
    for job in jobs:
        bulk.join(job, 0.0)
    most = 0
    for _ in range(40):
        bulk.step(1)
        most = max(most, bulk.num_kept_states)
    assert 0 < most <= 300 * 3
    bulk.leave(jobs[1])
    while bulk.num_jobs:
        bulk.step(1)
    assert bulk.num_kept_states == 0


@given(st.lists(st.lists(st.integers(1, 9), max_size=8), max_size=6), st.integers(1, 5))
def test_the_longest_ways_are_taken_first_and_each_once(groups: list[list[int]], count: int) -> None:
    waiting, number = BranchQueue(), 0
    for reads in groups:
        nodes = np.arange(number, number + len(reads))
        if len(reads):
            waiting.add(nodes, nodes + 100, np.array(reads))
        number += len(reads)
    all_reads, taken = [r for reads in groups for r in reads], []
    while len(waiting):
        nodes, slots = waiting.take(min(count, len(waiting)))
        assert (slots == nodes + 100).all()
        taken += nodes.tolist()
    assert [all_reads[node] for node in taken] == sorted(all_reads, reverse=True)
    assert sorted(taken) == list(range(number))


def test_a_shared_prefix_is_read_once() -> None:
    strings = ids_after(some_ids(500), [some_ids(3, seed=i) for i in range(50)])
    assert make_trie(strings, BEGIN, NO_CONTEXT).must_read.sum() <= 501 + 50 * 2


def test_parts_hold_every_string_once_and_neighbours_together() -> None:
    strings = [some_ids(5, seed=i % 350) for i in range(700)]
    assert len(split_sorted(strings[:200], 4)) == 1
    parts = split_sorted(strings, 4)
    assert len(parts) == 4
    assert sorted(i for part in parts for i in part) == list(range(700))
    texts = [[strings[i].tolist() for i in part] for part in parts]
    assert all(max(a) <= min(b) for a, b in itertools.pairwise(texts))


@settings(max_examples=40)
@given(STRINGS, st.integers(1, 30))
def test_values_come_back_alike_from_tables_of_any_size(strings: list[list[int]], max_cells: int) -> None:
    trie = make_trie(arrays(strings), BEGIN, some_ids(2))
    values = np.arange(trie.num_nodes) / 4
    whole = gathered(trie, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie_module, "_MAX_CELLS", max_cells)
        assert gathered(trie, values).tolist() == whole.tolist()


def test_no_table_has_more_cells_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    trie, tables = make_trie([some_ids(20, seed=i) for i in range(100)], BEGIN, NO_CONTEXT), []
    paths = Trie._paths

    def noted(of: Trie, block: slice, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = paths(of, block, above)
        tables.append(found[0].size)
        return found

    monkeypatch.setattr(trie_module, "_MAX_CELLS", 650)
    monkeypatch.setattr(Trie, "_paths", noted)
    gathered(trie, np.zeros(trie.num_nodes))
    assert tables == [32 * 20] * 3 + [4 * 20]


def test_short_strings_after_a_long_one_need_no_table_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = [np.zeros(3000, dtype=np.int64), *(np.array([1, k % 7, k]) for k in range(500))]
    accumulated, tables = trie_module._accumulated, list[int]()

    def noted(own: np.ndarray, offsets: np.ndarray, above: np.ndarray) -> np.ndarray:
        tables.append(own.size)
        return accumulated(own, offsets, above)

    monkeypatch.setattr(trie_module, "_MAX_CELLS", 650)
    monkeypatch.setattr(trie_module, "_accumulated", noted)
    trie = make_trie(strings, BEGIN, NO_CONTEXT)
    values = gathered(trie, trie.symbols.astype(np.float64))
    assert values.tolist() == np.concatenate(strings).tolist()
    assert max(tables) == 3000


def test_nothing_to_score_is_a_trie_too() -> None:
    trie = make_trie([], BEGIN, some_ids(3))
    assert (trie.num_strings, trie.num_nodes, trie.longest) == (0, 4, 3)
    assert gathered(trie, np.zeros(4)).tolist() == []
    assert trie.must_read.tolist() == [True] * 3 + [False]
    assert gathered(make_trie(arrays([[], []]), BEGIN, NO_CONTEXT), np.zeros(1)).tolist() == []


@given(STRINGS, st.integers(0, 3))
def test_the_longest_way_is_the_context_and_the_longest_string(
    strings: list[list[int]], num_context: int
) -> None:
    trie = make_trie(arrays(strings), BEGIN, some_ids(num_context))
    assert trie.longest == num_context + max(map(len, strings))
    assert trie.symbols[: num_context + 1].tolist() == [BEGIN, *some_ids(num_context).tolist()]


def test_building_may_stop_after_each_table_and_each_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    strings, added = [some_ids(4, seed=i) for i in range(1000)], [0]
    add = TrieBuilder.add_block

    def counted(builder: TrieBuilder) -> None:
        before = builder.num_left
        add(builder)
        added[-1] += before - builder.num_left

    monkeypatch.setattr(trie_module, "_MAX_CELLS", 500)
    monkeypatch.setattr(TrieBuilder, "add_block", counted)
    added.extend(0 for _ in build_trie(strings, BEGIN, NO_CONTEXT))
    assert added == [0, *[125] * 8, *[0] * 6]  # sorting them, and the arrays, are parts of their own


@settings(max_examples=200)
@given(STRINGS, st.integers(1, 60), st.integers(1, 3))
def test_a_trie_is_the_same_from_tables_of_any_size_and_from_any_keys(
    strings: list[list[int]], max_cells: int, num_context: int
) -> None:
    """Ids above 254 are sorted as four bytes each; too many cells, one string at a time."""
    given_strings, context = arrays(strings), some_ids(num_context)
    whole = make_trie(given_strings, BEGIN, context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trie_module, "_MAX_CELLS", max_cells)
        patch.setattr(trie_module, "_MAX_SORTED_CELLS", 4 * max_cells)
        small = make_trie(given_strings, BEGIN, context)
    other = make_trie([ids + 1000 for ids in given_strings], BEGIN, context + 1000)
    for field in fields(Trie):
        value = getattr(whole, field.name)
        assert np.array_equal(value, getattr(small, field.name)), field.name
        if field.name != "symbols":
            assert np.array_equal(value, getattr(other, field.name)), field.name
    assert whole._order.tolist() == sorted(range(len(strings)), key=lambda k: strings[k])


def test_parts_are_as_many_as_are_worth_it_and_hold_all_strings() -> None:
    strings = [some_ids(5, seed=i) for i in range(300)]
    for num_strings, num_parts, expected in (
        *((0, 4, [0]), (255, 4, [255]), (256, 4, [128, 128])),
        *((300, 2, [150, 150]), (299, 2, [150, 149]), (300, 1, [300])),
    ):
        parts = split_sorted(strings[:num_strings], num_parts)
        assert [len(part) for part in parts] == expected
        assert sorted(i for part in parts for i in part) == list(range(num_strings))
