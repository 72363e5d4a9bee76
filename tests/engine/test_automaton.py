"""An automaton of a pattern accepts exactly the texts that match, and no state of it is a dead end."""

import itertools
import re

import numpy as np
import pytest

from nextchar.engine.automaton import START, Automaton
from nextchar.errors import InvalidRequest
from nextchar.service.inference.regex_compiler import build

ALPHABET = "abc "
SYMBOLS = (*(c.encode() for c in ALPHABET), b"")


def state_after(automaton: Automaton, ids: tuple[int, ...]) -> int:
    state = START
    for symbol_id in ids:
        state = int(automaton.next_states[state, symbol_id]) if state >= 0 else -1
    return state


@pytest.mark.parametrize(
    "pattern",
    ["(abc|ab)*", "a*b?|c(a|b)+", "[^a]+", "(a|ab)(c|bc)*", "((a|b)c?){1,2}", ".*a.", "a||b", "b+(a|c )*"],
)
def test_it_accepts_what_python_says_matches(pattern: str) -> None:
    automaton = build(pattern, SYMBOLS)
    texts = [t for k in range(6) for t in itertools.product(range(4), repeat=k)]
    states = {text: state_after(automaton, text) for text in texts}
    for text, state in states.items():
        matches = re.fullmatch(pattern, "".join(ALPHABET[i] for i in text)) is not None
        assert (state >= 0 and automaton.distance[state] == 0) == matches, text


def test_the_distance_is_the_shortest_path_to_an_end() -> None:
    automaton = build("(aaa|ab)*c{2}", SYMBOLS)
    expected = {"": 2, "a": 3, "aa": 3, "ab": 2, "c": 1, "cc": 0}
    for text, distance in expected.items():
        state = state_after(automaton, tuple(ALPHABET.index(c) for c in text))
        assert automaton.distance[state] == distance, text


def test_only_what_can_still_end_in_time_is_allowed() -> None:
    automaton = build("ab|ccc", SYMBOLS)
    states = np.array([START, START, START])
    allowed = automaton.allowed(states, np.array([3, 2, 1]))
    assert allowed.tolist() == [
        [True, False, True, False, False],
        [True, False, False, False, False],
        [False] * 5,
    ]


@pytest.mark.parametrize("pattern", ["a)|(b", "(", "a(?=b)", "*"])
def test_an_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="not a valid pattern"):
        build(pattern, SYMBOLS)


def test_a_text_that_ends_and_cannot_go_on_in_time_is_over() -> None:
    automaton = build("(abc)*", SYMBOLS)
    assert automaton.over(np.array([START] * 2), np.array([3, 2])).tolist() == [False, True]
