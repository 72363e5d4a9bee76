"""Lanes in a real engine produce the same bytes however they are batched."""

import math

import numpy as np
import pytest
from support.engine_lanes import GRAPH, VOCABULARY, make_trie, run, some_ids
from support.tiny_models import LINES, TEXT, TinyModel

from nextchar.engine.lane import Lane, Penalties, Sampling, ScoreJob
from nextchar.engine.lane_arrays import CHUNK
from nextchar.engine.work import UNLIMITED, FinishReason
from nextchar.model.golden import symbol_logprobs


@pytest.mark.parametrize("length", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 50])
def test_a_given_lane_scores_as_the_plain_loop_does_bit_for_bit(length: int) -> None:
    ids = some_ids(length)
    (inbox,) = run([Lane(ids)])
    assert inbox.deliveries[-1].finish is FinishReason.GIVEN
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
    assert given.bytes() == ([], [], FinishReason.GIVEN, 0)
    assert sampled.bytes() == ([], [], FinishReason.LENGTH, 0)


NUM_MIXED = 23  # enough for every kind of sampling beside every length of prompt


def mixed_lanes(
    count: int, chars_per_delivery: int = 0, seconds_per_delivery: float = UNLIMITED
) -> list[Lane]:
    """Lanes of every kind of sampling, prompts of every length around the chunk's."""
    stop = tuple(VOCABULARY.encode("ab").tolist())
    return [
        Lane(
            some_ids((0, 3, CHUNK - 1, CHUNK, CHUNK + 12)[i % 5], seed=i),
            sampling=Sampling(
                max_chars=(1, 20, 150, CHUNK + 2)[i % 4],
                seed=i,
                temperature=(1.0, 0.7, 0.0, 1.5)[i % 4],
                top_k=(0, 0, 0, 5)[i % 4],
                top_p=(1.0, 0.9, 1.0, 1.0, 1.0)[i % 5],
                min_p=(0.0, 0.0, 0.05, 0.0)[i % 4],
                bias=((i % 7, 2.0),) if i % 5 == 0 else (),
                penalties=Penalties(0.5, 0.25, 1.3) if i % 7 == 0 else Penalties(),
                stop=(stop,) if i % 6 == 0 else (),
                chars_per_delivery=chars_per_delivery,
                seconds_per_delivery=seconds_per_delivery,
            ),
            num_top=3 if i % 11 == 0 else 0,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "model", [TEXT, LINES, TinyModel("rnn_tanh"), TinyModel("rnn_relu")], ids=lambda m: m.cell
)
def test_a_lane_gives_the_same_bytes_alone_and_among_others(model: TinyModel) -> None:
    graph = model.step()
    together = [inbox.bytes() for inbox in run(mixed_lanes(NUM_MIXED), graph, max_lanes=11)]
    alone = [run([lane], graph, max_lanes=1)[0].bytes() for lane in mixed_lanes(NUM_MIXED)]
    assert together == alone


@pytest.fixture(scope="module")
def mixed() -> list[tuple[object, ...]]:
    """What the mixed lanes of the first model give, with several steps in a call."""
    return [inbox.bytes() for inbox in run(mixed_lanes(NUM_MIXED), max_steps=4)]


@pytest.mark.parametrize("max_steps", [1, 2, 5, 64])
def test_steps_per_call_change_nothing(mixed: list[tuple[object, ...]], max_steps: int) -> None:
    """Several characters per call of the graph, or one: the same bytes."""
    assert [inbox.bytes() for inbox in run(mixed_lanes(NUM_MIXED), max_steps=max_steps)] == mixed


@pytest.mark.parametrize(("size", "seconds"), [(1, UNLIMITED), (2, 0.0), (16, UNLIMITED), (1000, 0.001)])
def test_delivery_size_and_time_change_nothing_but_the_pieces(
    mixed: list[tuple[object, ...]], size: int, seconds: float
) -> None:
    pieces = run(mixed_lanes(NUM_MIXED, size, seconds))
    assert [inbox.bytes() for inbox in pieces] == mixed


def test_a_stream_delivers_the_first_character_at_once_and_then_in_groups() -> None:
    (inbox,) = run([Lane(some_ids(3), sampling=Sampling(40, 1, chars_per_delivery=16))], max_steps=1)
    assert [len(d.ids) for d in inbox.deliveries] == [3 + 1, 16, 16, 7]


def test_a_stream_that_is_out_of_time_delivers_what_there_is() -> None:
    sampling = Sampling(10, 1, chars_per_delivery=1000, seconds_per_delivery=0.0)
    (inbox,) = run([Lane(some_ids(0), sampling=sampling)], max_steps=1)
    assert [len(d.ids) for d in inbox.deliveries] == [1] * 10


def test_bulk_scoring_beside_it_does_not_change_a_text() -> None:
    alone = [inbox.bytes() for inbox in run(mixed_lanes(10))]
    strings = [some_ids(200, seed=i) for i in range(50)]
    job = ScoreJob(make_trie(strings, VOCABULARY.begin_id, some_ids(0)))
    assert [inbox.bytes() for inbox in run([job, *mixed_lanes(10)])[1:]] == alone


def test_interactive_requests_that_overtake_do_not_change_a_text() -> None:
    """They join in front of the others in the middle of a run, and leave from there."""

    def interactive(count: int) -> list[Lane]:
        return [Lane(some_ids(3 + 40 * (i % 3), seed=i), wants_distribution=i % 2 == 0) for i in range(count)]

    alone = [run([lane])[0].bytes() for lane in [*mixed_lanes(10), *interactive(30)]]
    both = [*mixed_lanes(10), *interactive(30)]
    order = np.random.default_rng(0).permutation(len(both)).tolist()
    together = run([both[i] for i in order], max_lanes=13)
    assert [inbox.bytes() for inbox in together] == [alone[i] for i in order]


def test_a_stop_string_ends_a_lane_wherever_it_falls() -> None:
    text = run([Lane(some_ids(0), sampling=Sampling(CHUNK + 100, 5))])[0].ids
    for end in (3, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 2, CHUNK + 90):
        stop = tuple(text[end - 3 : end])
        first = next(k for k in range(3, end + 1) if tuple(text[k - 3 : k]) == stop)
        (inbox,) = run([Lane(some_ids(0), sampling=Sampling(CHUNK + 100, 5, stop=(stop,)))])
        assert inbox.ids == text[:first]
        assert inbox.bytes()[2:] == (FinishReason.STOP, 3)


def test_a_stop_string_in_the_prompt_does_not_count() -> None:
    stop = tuple(VOCABULARY.encode("abc").tolist())
    (inbox,) = run([Lane(VOCABULARY.encode("abc"), sampling=Sampling(5, 1, stop=(stop,)))])
    assert len(inbox.ids) == 8


def test_the_end_symbol_ends_a_line() -> None:
    graph = LINES.step()
    inboxes = run([Lane(some_ids(0), sampling=Sampling(2000, seed)) for seed in range(8)], graph)
    for inbox in inboxes:
        assert inbox.bytes()[2:] == (FinishReason.STOP, 1)
        assert inbox.ids.index(graph.vocabulary.end_id) == len(inbox.ids) - 1


def test_the_unknown_symbol_is_never_drawn() -> None:
    inboxes = run([Lane(some_ids(0), sampling=Sampling(400, seed, 2.0)) for seed in range(16)])
    assert VOCABULARY.unknown_id not in {i for inbox in inboxes for i in inbox.ids}


def test_top_logprobs_are_the_largest_of_every_step() -> None:
    ids = some_ids(CHUNK + 20)
    with_top, without_top = run([Lane(ids, num_top=3), Lane(ids)])
    assert with_top.logprobs == without_top.logprobs
    tops = np.concatenate([d.top_logprobs for d in with_top.deliveries])
    assert tops.shape == (CHUNK + 20, 3)
    assert (np.diff(tops, axis=1) <= 0).all()
    assert (tops[:, 0] >= np.array(with_top.logprobs)).all()
    assert with_top.deliveries[0].top_ids is not None
    assert without_top.deliveries[0].top_ids is None


def test_bias_and_penalties_do_what_they_say() -> None:
    plain, wanted, never, varied, repeated = run(
        [
            Lane(some_ids(0), sampling=Sampling(200, 1)),
            Lane(some_ids(0), sampling=Sampling(50, 1, bias=((5, 100.0),))),
            Lane(some_ids(0), sampling=Sampling(200, 1, bias=((5, -100.0),))),
            Lane(some_ids(0), sampling=Sampling(60, 1, temperature=0.0, penalties=Penalties(2.0, 2.0))),
            Lane(some_ids(30), sampling=Sampling(1, 1, temperature=0.0, penalties=Penalties(repetition=1e9))),
        ]
    )
    assert 5 in plain.ids
    assert set(wanted.ids) == {5}
    assert 5 not in never.ids
    greedy = run([Lane(some_ids(0), sampling=Sampling(60, 1, temperature=0.0))])[0]
    assert len(set(varied.ids)) > len(set(greedy.ids))
    assert repeated.ids[-1] not in some_ids(30).tolist()
    assert wanted.logprobs == run([Lane(np.array(wanted.ids))])[0].logprobs  # what the model itself says


@pytest.mark.parametrize("temperature", [1e-9, 1e-39, 1e-300])
def test_a_tiny_temperature_takes_the_likeliest_each_time(temperature: float) -> None:
    tiny, greedy = run([Lane(some_ids(5), sampling=Sampling(40, 1, t)) for t in (temperature, 0.0)])
    assert tiny.ids == greedy.ids


def test_a_greedy_lane_takes_the_likeliest_each_time() -> None:
    (inbox,) = run([Lane(some_ids(5), sampling=Sampling(40, 1, temperature=0.0), num_top=2)])
    tops = np.concatenate([d.top_ids for d in inbox.deliveries if d.top_ids is not None]).tolist()
    likeliest = [second if first == VOCABULARY.unknown_id else first for first, second in tops]
    assert inbox.ids[5:] == likeliest[5:]
