"""Compiles a regex into an automaton over a model's characters, within limits of size and time."""

import asyncio
import json
import subprocess
import sys
from collections import OrderedDict

import numpy as np

from nextchar.engine.automaton import START, Automaton
from nextchar.errors import InvalidRequest, QueueFull
from nextchar.service.inference.regex_worker import MAX_CPU_SECONDS, MAX_STATES, SYNTAX, TOO_LARGE

MAX_PATTERN_CHARS = 4096
MAX_CACHED = 32  # automata
_MAX_WAITING = 32
_MAX_SECONDS = 10.0  # wall clock; the worker may use two seconds of a processor, which others may use too
_SYNTAX = (
    "regex is not a valid pattern: the syntax is that of Rust's regex crate, without look-around, "
    "back-references, word boundaries, or anchors inside the pattern"
)

Symbols = tuple[bytes, ...]


class RegexCompiler:
    """Compiles one pattern at a time, and caches the automata used last."""

    def __init__(self) -> None:
        self._cached: OrderedDict[tuple[str, Symbols], Automaton] = OrderedDict()
        self._building = asyncio.Lock()
        self._num_waiting = 0

    async def automaton(self, pattern: str, symbols: Symbols, max_chars: int) -> Automaton:
        """Returns the automaton of texts that match `pattern` as a whole, for `symbols` as UTF-8 by id.

        A symbol without bytes is not part of any text.

        Raises:
            InvalidRequest: the pattern is invalid or too large, or matches no text of at most `max_chars`.
            QueueFull: too many patterns wait to be compiled.
        """
        key = (_without_anchors(pattern), symbols)
        automaton = self._cached.get(key)
        if automaton is None:
            automaton = await self._build(key)
        self._cached[key] = automaton
        self._cached.move_to_end(key)
        if len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        _check_length(automaton, max_chars)
        return automaton

    async def _build(self, key: tuple[str, Symbols]) -> Automaton:
        if self._num_waiting >= _MAX_WAITING:
            raise QueueFull(f"{_MAX_WAITING} regex patterns are already waiting to be compiled; retry later")
        self._num_waiting += 1
        try:
            async with self._building:
                compiled = self._cached.get(key)  # by a request that waited here too
                return await asyncio.to_thread(build, *key) if compiled is None else compiled
        finally:
            self._num_waiting -= 1


def build(pattern: str, symbols: Symbols) -> Automaton:
    """Builds an automaton in a process of its own; raises InvalidRequest as `RegexCompiler.automaton`."""
    given = json.dumps({"pattern": pattern, "symbols": [symbol.hex() for symbol in symbols]})
    command = [sys.executable, "-P", "-m", "nextchar.service.inference.regex_worker"]
    try:
        done = subprocess.run(
            command, input=given.encode(), capture_output=True, timeout=_MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _too_large() from None
    if done.returncode == SYNTAX:
        raise InvalidRequest(_SYNTAX, param="regex")
    if done.returncode == TOO_LARGE or done.returncode < 0:  # killed for its memory or time
        raise _too_large()
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    numbers = np.frombuffer(done.stdout, dtype=np.int32)
    num_states, num_accepting = numbers[:2].tolist()
    accepting, rows = numbers[2 : 2 + num_accepting], numbers[2 + num_accepting :]
    return Automaton.of(rows.reshape(num_states, len(symbols)), accepting.tolist())


def _without_anchors(pattern: str) -> str:
    """Removes `^` before a pattern and `$` after it: a pattern is for the whole text anyway."""
    pattern = pattern.removeprefix("^")
    body = pattern.removesuffix("$")
    escaped = (len(body) - len(body.rstrip("\\"))) % 2
    return pattern if escaped else body


def _check_length(automaton: Automaton, max_chars: int) -> None:
    shortest = int(automaton.distance[START])
    if shortest > max_chars:
        least = f"the shortest text that regex matches has {shortest} characters, max_tokens is {max_chars}"
        never = "regex matches no text of the characters that may be drawn"
        possible = shortest < len(automaton.next_states)
        raise InvalidRequest(least if possible else never, param="regex")
    if max_chars and automaton.over(np.array([START]), np.array([max_chars]))[0]:
        raise InvalidRequest(
            f"regex matches only the empty text within max_tokens, {max_chars}: raise max_tokens",
            param="regex",
        )


def _too_large() -> InvalidRequest:
    return InvalidRequest(
        f"regex is too large: the limits are {MAX_STATES} states and {MAX_CPU_SECONDS} seconds to compile it",
        param="regex",
        code="input_too_large",
    )
