"""From a pattern to its automaton over a model's characters, with bounds on size and time."""

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
MAX_KEPT = 32  # automata
_MAX_WAITING = 32
_MAX_SECONDS = 10.0  # the worker has two of a processor; where others use it too that takes longer
_SYNTAX = (
    "regex: it is not a pattern that has an automaton: the syntax is that of Rust's regex crate, without "
    "look-around, back-references, word boundaries, or anchors inside it"
)

Symbols = tuple[bytes, ...]


class RegexCompiler:
    """Builds automata, one at a time, and keeps the last ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Symbols], Automaton] = OrderedDict()
        self._building = asyncio.Lock()
        self._num_waiting = 0

    async def automaton(self, pattern: str, symbols: Symbols, max_chars: int) -> Automaton:
        """The automaton of texts that match `pattern` as a whole, for `symbols` as UTF-8 by id.

        A symbol without bytes is not part of any text.

        Raises:
            InvalidRequest: no such pattern, too large a one, or no text of at most `max_chars` matches.
            QueueFull: too many patterns wait.
        """
        key = (_without_anchors(pattern), symbols)
        found = self._kept.get(key)
        if found is None:
            found = await self._build(key)
        self._kept[key] = found
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        _check_length(found, max_chars)
        return found

    async def _build(self, key: tuple[str, Symbols]) -> Automaton:
        if self._num_waiting >= _MAX_WAITING:
            raise QueueFull(f"{_MAX_WAITING} patterns wait to be read already; try again later")
        self._num_waiting += 1
        try:
            async with self._building:
                found = self._kept.get(key)  # of a request that waited here too
                return await asyncio.to_thread(build, *key) if found is None else found
        finally:
            self._num_waiting -= 1


def build(pattern: str, symbols: Symbols) -> Automaton:
    """Build an automaton in a process of its own; raises InvalidRequest as `RegexCompiler.automaton`."""
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
    if done.returncode == TOO_LARGE or done.returncode < 0:  # ended for its memory or time
        raise _too_large()
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    numbers = np.frombuffer(done.stdout, dtype=np.int32)
    num_states, num_accepting = numbers[:2].tolist()
    accepting, rows = numbers[2 : 2 + num_accepting], numbers[2 + num_accepting :]
    return Automaton.of(rows.reshape(num_states, len(symbols)), accepting.tolist())


def _without_anchors(pattern: str) -> str:
    """A pattern is for the whole text, so that `^` before it and `$` after it say nothing."""
    pattern = pattern.removeprefix("^")
    body = pattern.removesuffix("$")
    escaped = (len(body) - len(body.rstrip("\\"))) % 2
    return pattern if escaped else body


def _check_length(automaton: Automaton, max_chars: int) -> None:
    shortest = int(automaton.distance[START])
    if shortest > max_chars:
        least = f"the shortest text that matches has {shortest} characters, max_tokens is {max_chars}"
        never = "regex: no text of characters that may be drawn matches"
        possible = shortest < len(automaton.next_states)
        raise InvalidRequest(f"regex: {least}" if possible else never, param="regex")
    if max_chars and automaton.over(np.array([START]), np.array([max_chars]))[0]:
        raise InvalidRequest(
            f"regex: of texts of at most {max_chars} characters, max_tokens, only the empty one matches",
            param="regex",
        )


def _too_large() -> InvalidRequest:
    return InvalidRequest(
        f"regex: its automaton is too large: the limits are {MAX_STATES} states, {MAX_CPU_SECONDS} seconds",
        param="regex",
        code="input_too_large",
    )
