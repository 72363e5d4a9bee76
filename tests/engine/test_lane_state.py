"""A lane that continues from a state is the lane that was never interrupted, bit for bit."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_lanes import Inbox, gathered, make_trie, run
from support.tiny_models import LINES, REFUSING, TEXT, TinyModel

from nextchar.engine.lane import Lane, LaneState, LaneTrace, Sampling, ScoreJob
from nextchar.engine.lane_arrays import CHUNK
from nextchar.model.graph import ModelGraph
from nextchar.model.vocabulary import Ids

MODELS = [(m, p) for m in (TEXT, LINES, REFUSING) for p in ("int8", "float32")]
MODELS.append((TinyModel("rnn_relu"), "float32"))
GRAPHS = {f"{model.cell}-{precision}": model.step(precision) for model, precision in MODELS}


@pytest.fixture(params=GRAPHS)
def graph(request: pytest.FixtureRequest) -> ModelGraph:
    return GRAPHS[request.param]


def _ids(count: int, seed: int = 0) -> Ids:
    return np.random.default_rng(seed).integers(0, 25, count)


def _feed(graph: ModelGraph, ids: Ids, start: LaneState | None = None, **fields: bool) -> tuple[Lane, Inbox]:
    lane = Lane(ids, start=start, keeps_state=True, **fields)
    (inbox,) = run([lane], graph)
    return lane, inbox


def _in_pieces(
    graph: ModelGraph, ids: Ids, cuts: Sequence[int], **fields: bool
) -> tuple[Lane, list[float], Inbox]:
    state, logprobs = None, []
    for piece in np.split(ids, sorted(cuts)):
        lane, inbox = _feed(graph, piece, state, **fields)
        state = lane.state
        logprobs += inbox.logprobs
    return lane, logprobs, inbox


def _same(a: LaneState | None, b: LaneState | None) -> bool:
    assert a is not None
    assert b is not None
    return a.last_id == b.last_id and all(np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)


@pytest.mark.parametrize(
    ("cuts", "wants_distribution"),
    [([1], True), ([512], False), ([512], True), ([511, 513], True), ([16, 17, 600], False)],
)
def test_fed_in_pieces_is_fed_at_once(graph: ModelGraph, cuts: list[int], wants_distribution: bool) -> None:
    ids = _ids(1024)
    whole, inbox = _feed(graph, ids, wants_distribution=wants_distribution)
    last, logprobs, pieces = _in_pieces(graph, ids, cuts, wants_distribution=wants_distribution)
    assert logprobs == inbox.logprobs
    assert _same(whole.state, last.state)
    if wants_distribution:
        one, other = inbox.wait().distribution, pieces.wait().distribution
        assert one is not None
        assert np.array_equal(one, other)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=5))
def test_wherever_it_is_cut(cuts: list[int]) -> None:
    graph, ids = GRAPHS["lstm-int8"], _ids(40)
    whole, inbox = _feed(graph, ids)
    last, logprobs, _ = _in_pieces(graph, ids, cuts)
    assert logprobs == inbox.logprobs
    assert _same(whole.state, last.state)


def test_a_distribution_leaves_the_state_before_it(graph: ModelGraph) -> None:
    plain, _ = _feed(graph, _ids(20))
    asked, inbox = _feed(graph, _ids(20), wants_distribution=True)
    assert _same(plain.state, asked.state)
    again, twice = _feed(graph, _ids(0), plain.state, wants_distribution=True)
    assert _same(again.state, plain.state)  # nothing was given
    assert np.array_equal(inbox.wait().distribution, twice.wait().distribution)


def test_what_is_known_ahead_of_a_state_is_what_a_step_finds(graph: ModelGraph) -> None:
    ids = _ids(30)
    whole, inbox = _feed(graph, ids, wants_distribution=True)
    state, logprobs = _feed(graph, ids[:1], wants_distribution=True)[0].state, inbox.logprobs[:1]
    for number in range(1, len(ids)):
        assert state is not None
        after = state.after(int(ids[number]))
        assert after is not None
        stepped, of_step = _feed(graph, ids[number : number + 1], state)
        assert _same(after[0], stepped.state)
        assert of_step.logprobs == [after[1]]
        logprobs.append(after[1])
        lane, distribution = _feed(graph, _ids(0), after[0], wants_distribution=True)
        state = lane.state
    assert logprobs == inbox.logprobs
    assert _same(state, whole.state)
    assert np.array_equal(distribution.wait().distribution, inbox.wait().distribution)
    plain = _feed(graph, ids)[0].state
    assert plain is not None
    assert plain.after(0) is None  # nothing was asked


@pytest.mark.parametrize("count", [1, 40, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_trace_holds_what_a_lane_that_ends_there_has(graph: ModelGraph, count: int) -> None:
    ids, trace = _ids(count), LaneTrace(states=True, distributions=True)
    traced = Lane(ids, wants_distribution=True, keeps_state=True, trace=trace)
    alone = Lane(ids, wants_distribution=True, keeps_state=True)
    others = [Lane(_ids(7, seed=1)), Lane(_ids(0), sampling=Sampling(20, seed=1)), Lane(ids)]
    inbox, plain, *_ = run([traced, alone, *others], graph)
    assert inbox.logprobs == plain.logprobs
    assert _same(traced.state, alone.state)
    assert len(trace.states) == len(trace.distributions) == count + 1
    assert np.array_equal(trace.distributions[-1], inbox.wait().distribution)
    assert [row[k] for row, k in zip(trace.distributions, ids, strict=False)] == inbox.logprobs
    for number in {0, count // 2, count - 1}:
        lane, ended = _feed(graph, ids[: number + 1], wants_distribution=True)
        assert lane.state is not None
        assert _same(lane.state, LaneState(int(ids[number]), trace.states[number]))
        assert np.array_equal(ended.wait().distribution, trace.distributions[number + 1])


@pytest.mark.parametrize("cut", [1, 5, 16, 33])
def test_sampled_in_two_parts_is_sampled_at_once(graph: ModelGraph, cut: int) -> None:
    prompt = _ids(10)
    (whole,) = run([Lane(prompt, sampling=Sampling(max_chars=40, seed=7, temperature=0.8))], graph)
    first = Lane(prompt, sampling=Sampling(max_chars=cut, seed=7, temperature=0.8), keeps_state=True)
    (one,) = run([first], graph)
    if first.state is None:
        assert one.wait().num_stop == 1  # the end of a line came before
        return
    rest = Sampling(max_chars=40 - cut, seed=7, temperature=0.8, first_draw=cut)
    (two,) = run([Lane(_ids(0), sampling=rest, start=first.state)], graph)
    assert one.ids + two.ids == whole.ids
    assert one.logprobs + two.logprobs == whole.logprobs


def test_a_drawn_state_is_the_state_of_the_same_text_given(graph: ModelGraph) -> None:
    lane = Lane(_ids(5), sampling=Sampling(max_chars=20, seed=3), keeps_state=True)
    (inbox,) = run([lane], graph)
    if lane.state is None:
        assert inbox.wait().num_stop == 1
        return
    fed, _ = _feed(graph, np.array(inbox.ids))
    assert _same(lane.state, fed.state)


def test_strings_are_scored_from_a_state_as_after_the_text_that_led_there(graph: ModelGraph) -> None:
    context, strings = _ids(30), [_ids(12, seed) for seed in range(9)]
    lane, _ = _feed(graph, context)
    assert lane.state is not None
    begin_id, nothing = graph.vocabulary.begin_id, _ids(0)
    tries = [make_trie(strings, begin_id, context), make_trie(strings, lane.state.last_id, nothing)]
    jobs = [ScoreJob(tries[0]), ScoreJob(tries[1], start=lane.state)]
    found = [
        gathered(trie, inbox.wait().logprobs) for trie, inbox in zip(tries, run(jobs, graph), strict=True)
    ]
    assert np.array_equal(*found)


def test_states_among_others_are_the_states_alone(graph: ModelGraph) -> None:
    alone = [_feed(graph, _ids(20 + k, k))[0].state for k in range(20)]
    lanes = [Lane(_ids(20 + k, k), keeps_state=True) for k in range(20)]
    run(lanes, graph, max_lanes=8)
    assert all(_same(lane.state, state) for lane, state in zip(lanes, alone, strict=True))
