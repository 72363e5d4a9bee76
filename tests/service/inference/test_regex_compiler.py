"""The automaton that is built of a pattern accepts exactly the texts that match it."""

import itertools
import re

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


def test_a_symbol_without_bytes_is_part_of_no_text() -> None:
    automaton = build(".*", SYMBOLS)
    assert (automaton.next_states[:, -1] == -1).all()
    assert (automaton.next_states[:, :-1] >= 0).all()


@pytest.mark.parametrize("pattern", ["a)|(b", "(", "a(?=b)", "*"])
def test_an_invalid_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="not a valid pattern"):
        build(pattern, SYMBOLS)
