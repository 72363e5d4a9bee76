"""The worker that compiles patterns, called in this process: it writes the automaton of the pattern."""

import io
import itertools
import json
import re
import resource
import sys
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.replacing import replace_in

from nextchar.service.inference import regex_worker
from nextchar.service.inference.regex_worker import MAX_CPU_SECONDS, SYNTAX, TOO_LARGE

_SYMBOLS = [b"a", b"b", "é".encode(), b"", "\N{SNOWMAN}".encode()]
_TEXTS = [t for k in range(5) for t in itertools.product((0, 1, 2, 4), repeat=k)]


class _Worker:
    """Runs the worker's main with standard streams and limits of this test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.limits: dict[int, tuple[int, int]] = {}
        # The limits would hold for the tests that follow too.
        monkeypatch.setattr(resource, "setrlimit", self.limits.__setitem__)
        self.nice: list[int] = []
        replace_in(monkeypatch, regex_worker, "os", nice=self.nice.append)

    def run(self, pattern: str, symbols: list[bytes]) -> tuple[int, bytes]:
        given = json.dumps({"pattern": pattern, "symbols": [symbol.hex() for symbol in symbols]})
        written = io.TextIOWrapper(io.BytesIO())
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        self._monkeypatch.setattr(sys, "stdout", written)
        code = regex_worker.main()
        assert isinstance(written.buffer, io.BytesIO)
        return code, written.buffer.getvalue()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> _Worker:
    return _Worker(monkeypatch)


def _automaton(written: bytes, num_symbols: int) -> tuple[list[int], list[list[int]]]:
    """Reads the accepting states and a row of next states for each state."""
    num_states, num_accepting, *numbers = array("i", written)
    rows = numbers[num_accepting:]
    assert len(rows) == num_states * num_symbols
    return numbers[:num_accepting], [rows[k : k + num_symbols] for k in range(0, len(rows), num_symbols)]


def _accepts(accepting: list[int], rows: list[list[int]], text: tuple[int, ...]) -> bool:
    state = 0
    for symbol_id in text:
        state = rows[state][symbol_id]
        if state < 0:
            return False
    return state in accepting


@pytest.mark.parametrize(
    "pattern", ["(ab|é)*", "[^a]+", "a?b{1,3}", ".*é.", "a||b", "\\x{2603}|b", "(a|b)(a|é)?", "A|a", "A", "0"]
)
def test_it_writes_the_states_that_accept_and_the_transitions(worker: _Worker, pattern: str) -> None:
    code, written = worker.run(pattern, _SYMBOLS)
    assert code == 0
    accepting, rows = _automaton(written, len(_SYMBOLS))
    plain = pattern.replace("\\x{2603}", "\N{SNOWMAN}")
    for text in _TEXTS:
        shown = b"".join(_SYMBOLS[i] for i in text).decode()
        assert _accepts(accepting, rows, text) == (re.fullmatch(plain, shown) is not None), shown
    assert all(row[3] == -1 for row in rows)  # a symbol without bytes is part of no text


@pytest.mark.parametrize("pattern", ["a)(b", "(", "*", "a(?=b)", "[z-a]"])
def test_what_is_no_pattern_by_itself_is_told_by_the_exit_status(worker: _Worker, pattern: str) -> None:
    assert worker.run(pattern, _SYMBOLS) == (SYNTAX, b"")


def test_an_automaton_may_have_as_many_states_as_the_limit_and_no_more(
    worker: _Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regex_worker, "MAX_STATES", 20)
    code, written = worker.run("a{19}", [b"a"])
    assert code == 0
    assert len(_automaton(written, 1)[1]) == 20
    assert worker.run("a{20}", [b"a"]) == (TOO_LARGE, b"")
    assert worker.run("(ab){400}", [b"a", b"b"]) == (TOO_LARGE, b"")


def test_the_process_bounds_its_time_and_memory_and_leaves_no_core(worker: _Worker) -> None:
    worker.run("a", [b"a"])
    assert worker.limits == {
        resource.RLIMIT_CPU: (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1),  # asked to end, then ended
        resource.RLIMIT_AS: (2**30, 2**30),
        resource.RLIMIT_CORE: (0, 0),
    }
    assert worker.nice == [10]  # what takes long takes its time from nobody else


_STATES = st.integers(0, 4)
_GRAPHS = st.dictionaries(_STATES, st.dictionaries(st.integers(0, 2), _STATES, max_size=3), max_size=5)


@settings(max_examples=60)
@given(
    _GRAPHS, _STATES, st.lists(st.binary(max_size=3).map(lambda raw: bytes(b % 3 for b in raw)), max_size=4)
)
def test_a_symbol_leads_where_its_bytes_lead_one_by_one(
    transitions: dict[int, dict[int, int]], initial: int, symbols: list[bytes]
) -> None:
    def walked(state: int | None, symbol: bytes) -> int | None:
        for byte in symbol:
            state = None if state is None else transitions.get(state, {}).get(byte)
        return state

    states, rows = regex_worker._over_symbols(transitions, initial, symbols)
    assert list(states.values()) == list(range(len(states)))
    assert states[initial] == 0
    table = iter(rows)
    for state in states:
        for symbol in symbols:
            reached = walked(state, symbol) if symbol else None
            assert next(table) == (-1 if reached is None else states[reached])
            assert regex_worker._after(transitions, state, symbol) == walked(state, symbol)
    assert next(table, None) is None
