"""No state of an automaton is a dead end, and what may come next can still end in time."""

import numpy as np

from nextchar.engine.automaton import START, Automaton

A, B, C = range(3)


def automaton(num_states: int, edges: dict[tuple[int, int], int], accepting: list[int]) -> Automaton:
    """Builds one over three symbols from its edges: the state after a state and a symbol."""
    table = np.full((num_states, 3), -1, dtype=np.int32)
    for (state, symbol), reached in edges.items():
        table[state, symbol] = reached
    return Automaton.of(table, accepting)


# (aaa|ab)*cc: 0 is its start; 1 and 2 follow a and aa; 3 and 4 follow c and cc.
LOOP = {(0, A): 1, (1, A): 2, (2, A): 0, (1, B): 0, (0, C): 3, (3, C): 4}


def test_the_distance_is_the_shortest_path_to_an_end() -> None:
    assert automaton(5, LOOP, [4]).distance[:5].tolist() == [2, 3, 3, 1, 0]


def test_a_path_that_never_ends_is_cut() -> None:
    """From 5 a text goes round and round."""
    found = automaton(6, {**LOOP, (3, A): 5, (5, A): 5}, [4])
    assert found.next_states[3].tolist() == [-1, -1, 4]
    assert found.next_states[5].tolist() == [-1, -1, -1]
    assert (found.next_states[:5] == automaton(5, LOOP, [4]).next_states).all()


def test_only_what_can_still_end_in_time_is_allowed() -> None:
    """The pattern is ab|ccc."""
    edges = {(0, A): 1, (1, B): 2, (0, C): 3, (3, C): 4, (4, C): 2}
    found = automaton(5, edges, [2])
    assert found.allowed(np.array([START] * 3), np.array([3, 2, 1])).tolist() == [
        [True, False, True],
        [True, False, False],
        [False] * 3,
    ]
    assert found.allowed(np.array([4, 2]), np.array([1, 9])).tolist() == [
        [False, False, True],
        [False] * 3,
    ]


def test_a_text_that_ends_and_cannot_go_on_in_time_is_over() -> None:
    """The pattern is (abc)*: at its start it may end, and a character of it takes two more."""
    found = automaton(3, {(0, A): 1, (1, B): 2, (2, C): 0}, [0])
    assert found.over(np.array([START] * 2), np.array([3, 2])).tolist() == [False, True]


def test_where_no_character_is_left_a_text_is_over_only_if_none_could_follow() -> None:
    once = automaton(2, {(0, A): 1}, [1])
    assert once.over(np.array([0, 1, -1]), np.array([0, 0, 0])).tolist() == [False, True, True]
