"""Lanes through a real engine: the same bytes however they run."""

import math

import numpy as np
import pytest
from engine_lanes import GRAPH, VOCABULARY, run, some_ids
from tiny_models import LINES, TEXT, TinyModel

from nextchar.golden import symbol_logprobs
from nextchar.lane import Finish, Lane, Priority, Sampling
from nextchar.slab import CHUNK


@pytest.mark.parametrize("length", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 300])
def test_a_given_lane_scores_as_the_plain_loop_does_bit_for_bit(length: int) -> None:
    ids = some_ids(length)
    (inbox,) = run([Lane(ids)])
    assert inbox.deliveries[-1].finish is Finish.GIVEN
    assert inbox.ids == ids.tolist()
    assert inbox.logprobs == symbol_logprobs(GRAPH, [ids])[0].tolist()


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_distribution_is_what_any_next_symbol_would_score(length: int) -> None:
    ids = some_ids(length)
    (inbox,) = run([Lane(ids, wants_distribution=True)])
    distribution = inbox.deliveries[-1].distribution
    assert distribution is not None
    assert inbox.ids == ids.tolist()
    assert math.fsum(np.exp(distribution)) == pytest.approx(1)
    for symbol in (0, 5, VOCABULARY.num_outputs - 1):
        longer = np.append(ids, symbol)
        assert distribution[symbol] == symbol_logprobs(GRAPH, [longer])[0][-1]


def test_an_empty_lane_is_done_without_a_step() -> None:
    given, sampled = run([Lane(some_ids(0)), Lane(some_ids(0), sampling=Sampling(0, 1))])
    assert given.bytes() == ([], [], Finish.GIVEN, 0)
    assert sampled.bytes() == ([], [], Finish.LENGTH, 0)


def mixed_lanes(count: int, chars_per_delivery: int = 0) -> list[Lane]:
    """Lanes of every kind of sampling, prompts of every length around the chunk's."""
    stop = tuple(VOCABULARY.encode("ab").tolist())
    return [
        Lane(
            some_ids((0, 3, CHUNK - 1, CHUNK, 140)[i % 5], seed=i),
            sampling=Sampling(
                max_chars=(1, 20, CHUNK, 150)[i % 4],
                seed=i,
                temperature=(1.0, 0.7, 0.0, 1.5)[i % 4],
                top_k=(0, 5)[i % 2],
                top_p=(1.0, 0.9, 1.0)[i % 3],
                min_p=(0.0, 0.0, 0.05)[i % 3],
                stop=(stop,) if i % 6 == 0 else (),
                chars_per_delivery=chars_per_delivery,
            ),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "model", [TEXT, LINES, TinyModel("rnn_tanh"), TinyModel("rnn_relu")], ids=lambda m: m.cell
)
def test_a_lane_gives_the_same_bytes_alone_and_among_others(model: TinyModel) -> None:
    graph = model.step()
    together = [inbox.bytes() for inbox in run(mixed_lanes(40), graph, max_lanes=17)]
    alone = [run([lane], graph, max_lanes=1)[0].bytes() for lane in mixed_lanes(40)]
    assert together == alone


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_delivery_size_changes_nothing_but_the_pieces(size: int) -> None:
    whole = [inbox.bytes() for inbox in run(mixed_lanes(20))]
    pieces = run(mixed_lanes(20, chars_per_delivery=size))
    assert [inbox.bytes() for inbox in pieces] == whole


def test_a_stream_delivers_the_first_character_at_once_and_then_in_groups() -> None:
    (inbox,) = run([Lane(some_ids(3), sampling=Sampling(40, 1, chars_per_delivery=16))])
    assert [len(d.ids) for d in inbox.deliveries] == [3 + 1, 16, 16, 7]


def test_bulk_scoring_beside_it_does_not_change_a_text() -> None:
    alone = [inbox.bytes() for inbox in run(mixed_lanes(10))]
    bulk = [Lane(some_ids(200, seed=i), priority=Priority.BULK) for i in range(50)]
    assert [inbox.bytes() for inbox in run([*bulk, *mixed_lanes(10)])[50:]] == alone


def test_a_stop_string_ends_a_lane_wherever_it_falls() -> None:
    text = run([Lane(some_ids(0), sampling=Sampling(300, 5))])[0].ids
    for end in (3, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 2, 280):
        stop = tuple(text[end - 3 : end])
        first = next(k for k in range(3, end + 1) if tuple(text[k - 3 : k]) == stop)
        (inbox,) = run([Lane(some_ids(0), sampling=Sampling(300, 5, stop=(stop,)))])
        assert inbox.ids == text[:first]
        assert inbox.bytes()[2:] == (Finish.STOP, 3)


def test_a_stop_string_in_the_prompt_does_not_count() -> None:
    stop = tuple(VOCABULARY.encode("abc").tolist())
    (inbox,) = run([Lane(VOCABULARY.encode("abc"), sampling=Sampling(5, 1, stop=(stop,)))])
    assert len(inbox.ids) == 8


def test_the_end_symbol_ends_a_line() -> None:
    graph = LINES.step()
    inboxes = run([Lane(some_ids(0), sampling=Sampling(2000, seed)) for seed in range(8)], graph)
    for inbox in inboxes:
        assert inbox.bytes()[2:] == (Finish.STOP, 1)
        assert inbox.ids.index(graph.vocabulary.end_id) == len(inbox.ids) - 1


def test_the_unknown_symbol_is_never_drawn() -> None:
    inboxes = run([Lane(some_ids(0), sampling=Sampling(400, seed, 2.0)) for seed in range(16)])
    assert VOCABULARY.unknown_id not in {i for inbox in inboxes for i in inbox.ids}


def test_top_logprobs_are_the_largest_of_every_step() -> None:
    ids = some_ids(140)
    with_top, without_top = run([Lane(ids, num_top=3), Lane(ids)])
    assert with_top.logprobs == without_top.logprobs
    tops = np.concatenate([d.top_logprobs for d in with_top.deliveries])
    assert tops.shape == (140, 3)
    assert (np.diff(tops, axis=1) <= 0).all()
    assert (tops[:, 0] >= np.array(with_top.logprobs)).all()
    assert with_top.deliveries[0].top_ids is not None
    assert without_top.deliveries[0].top_ids is None
