"""Lanes that come and go at any time give what each gives alone, and are counted rightly."""

import numpy as np
import pytest
from support.engine_lanes import GRAPH, Batch, some_ids
from support.tiny_models import LINES

from nextchar.engine import lane_arrays
from nextchar.engine.automaton import Automaton
from nextchar.engine.lane import Lane, Penalties, Sampling
from nextchar.engine.work import UNLIMITED, Delivery, FinishReason, Level
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph

GRAPHS = {"text": GRAPH, "lines": LINES.step()}


def pairs(num_symbols: int) -> Automaton:
    """The pattern of one or more pairs of a symbol up to 20 and one beyond that, but none beyond 25."""
    next_states = np.full((3, num_symbols), -1, dtype=np.int32)
    next_states[[0, 2], :20] = 1
    next_states[1, 20:25] = 2
    return Automaton.of(next_states, [2])


def one_pair(num_symbols: int) -> Automaton:
    next_states = np.full((3, num_symbols), -1, dtype=np.int32)
    next_states[0, :20], next_states[1, 20:25] = 1, 2
    return Automaton.of(next_states, [2])


def lane(k: int, graph: ModelGraph, *, in_pieces: bool = True) -> Lane:
    """Makes lane number `k`; neighbouring numbers give lanes of different kinds."""
    rng = np.random.default_rng(k)
    given = some_ids(int(rng.choice([0, 1, 5, 15, 16, 17, 40])), seed=k)
    if k % 4 == 0:
        return Lane(given, wants_distribution=k % 8 == 0, num_top=3 * (k % 12 == 0), keeps_state=k % 20 == 0)
    is_pattern = k % 11 < 2
    sampling = Sampling(
        max_chars=int(rng.choice([2 if is_pattern else 1, 15, 16, 33, 50])),
        seed=k,
        temperature=float(rng.choice([1.0, 1.0, 0.5, 0.0])),
        top_k=4 * (k % 7 == 0),
        penalties=Penalties(0.5, 0.25, 1.2) if k % 9 == 0 else Penalties(),
        stop=(((3,), (1, 2)), ((4, 5), (6, 7, 8)))[k % 2] if k % 3 == 0 else (),
        first_draw=k % 6,
        min_chars=6 * (k % 5 == 0),
        automaton=(pairs, one_pair)[k % 2](graph.vocabulary.num_outputs) if is_pattern else None,
        includes_stop=k % 6 == 0,
        reports_drawn_logprobs=k % 13 == 0,
        chars_per_delivery=int(rng.choice([0, 1, 7, 30])) if in_pieces else 0,
        seconds_per_delivery=0.0 if in_pieces and k % 10 == 1 else UNLIMITED,
    )
    return Lane(given, sampling=sampling, num_top=int(k % 17 == 1), keeps_state=k % 19 == 1)


def joined(deliveries: list[Delivery]) -> tuple[object, ...]:
    """What some deliveries hold together."""
    last = deliveries[-1]
    ids, logprobs = (
        np.concatenate(x).tolist() for x in zip(*((d.ids, d.logprobs) for d in deliveries), strict=True)
    )
    tops = [
        (d.top_ids, d.top_logprobs)
        for d in deliveries
        if d.top_ids is not None and d.top_logprobs is not None
    ]
    return (
        *(ids, logprobs, last.finish, last.num_stop),
        [row for top_ids, _ in tops for row in top_ids.tolist()],
        [row for _, top_logprobs in tops for row in top_logprobs.tolist()],
        None if last.distribution is None else last.distribution.tolist(),
    )


def state_of(lane: Lane) -> object:
    return lane.state and (lane.state.last_id, {name: a.tolist() for name, a in lane.state.arrays.items()})


def alone(lane: Lane, graph: ModelGraph = GRAPH) -> list[Delivery]:
    tried = Batch(1, graph)
    tried.join(lane)
    tried.to_end()
    return tried.deliveries[lane]


@pytest.mark.parametrize("name", GRAPHS)
def test_lanes_come_and_go_in_any_order_and_give_what_each_gives_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    graph, rng, kept = GRAPHS[name], np.random.default_rng(0), []
    expected = {}
    for k in range(70):
        one = lane(k, graph, in_pieces=False)
        expected[k] = joined(alone(one, graph)), state_of(one)
    monkeypatch.setattr(lane_arrays, "CHUNK", 16)  # many chunks in a short text
    tried, waiting = Batch(7, graph), list(range(70))
    while waiting or tried.left:
        while waiting and len(tried.left) < 7 and rng.random() < 0.7:
            k = waiting.pop()
            kept.append((k, lane(k, graph)))
            tried.join(kept[-1][1])
        if tried.left and rng.random() < 0.02:
            gone = list(tried.left)[int(rng.integers(len(tried.left)))]
            tried.leave(gone)
            kept = [(k, one) for k, one in kept if one is not gone]
        tried.check()
        tried.step(Level(int(rng.integers(2))), int(rng.integers(1, 17)))
        tried.check()
    for k, one in kept:
        assert (joined(tried.deliveries[one]), state_of(one)) == expected[k], k
    assert len(kept) > 50


def test_a_text_ends_where_the_plain_rules_say() -> None:
    """Stop strings, the end symbol, the least and the most characters, in texts drawn without them."""
    graph = GRAPHS["lines"]
    for k in range(70):
        one = lane(k, graph)
        deliveries = alone(one, graph)
        ids, logprobs, finish, num_stop, *_ = joined(deliveries)
        assert isinstance(ids, list)
        assert all(d.finish is None and d.num_stop == 0 and d.distribution is None for d in deliveries[:-1])
        assert ids[: len(one.given)] == one.given.tolist()
        drawn = ids[len(one.given) :]
        s = one.sampling
        if s is None or not s.reports_drawn_logprobs:
            assert logprobs == symbol_logprobs(graph, [np.array(ids, dtype=np.int64)])[0].tolist()
        if s is None:
            assert (drawn, finish, num_stop) == ([], FinishReason.GIVEN, 0)
            continue
        found = [
            (at, len(stop), stop)
            for at in range(1, len(drawn) + 1)
            for stop in ((graph.vocabulary.end_id,), *s.stop)
            if tuple(drawn[:at][-len(stop) :]) == stop and at - len(stop) >= s.min_chars * (stop in s.stop)
        ]
        if found:
            at, length, stop = found[0]
            assert (at, finish) == (len(drawn), FinishReason.STOP), k
            assert num_stop == (0 if s.includes_stop and stop != (graph.vocabulary.end_id,) else length)
        elif s.automaton is not None and k % 2:
            assert (len(drawn), finish, num_stop) == (2, FinishReason.STOP, 0)
        elif s.automaton is not None and s.max_chars % 2:  # no pair ends with the last character
            assert (len(drawn), finish, num_stop) == (s.max_chars - 1, FinishReason.STOP, 0)
        else:
            assert (len(drawn), finish, num_stop) == (s.max_chars, FinishReason.LENGTH, 0)


@pytest.mark.parametrize("num_given", [0, 13, 16, 20])
def test_a_stop_counts_only_after_the_least_characters_in_any_chunk(
    monkeypatch: pytest.MonkeyPatch, num_given: int
) -> None:
    monkeypatch.setattr(lane_arrays, "CHUNK", 16)
    stop = tuple((symbol,) for symbol in range(9))
    for seed in range(3):
        for min_chars in (0, 1, 6, 18):
            changes = ((), 0), (stop, min_chars)
            whole, stopped = (
                Lane(some_ids(num_given), sampling=Sampling(40, seed, stop=stop, min_chars=least))
                for stop, least in changes
            )
            (text, *_), (found, *_) = (joined(alone(one)) for one in (whole, stopped))
            assert isinstance(text, list)
            first = num_given + min_chars
            end = next((k for k, symbol in enumerate(text) if k >= first and symbol < 9), len(text))
            assert found == text[: end + 1]


def test_the_graph_draws_at_a_temperature_as_the_host_does() -> None:
    for seed, temperature in enumerate((0.3, 0.5, 0.8, 1.0, 1.5)):
        by_graph, by_host = (
            Lane(some_ids(9), sampling=Sampling(60, seed, temperature=temperature, bias=bias))
            for bias in ((), ((0, 0.0),))
        )
        assert joined(alone(by_graph)) == joined(alone(by_host))
