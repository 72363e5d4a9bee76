"""A process that turns one pattern into its automaton, and may be killed over it.

A pattern of a few characters can stand for an automaton of any size, so it is not built inside the server.
Reads JSON from standard input: the pattern and the bytes of each symbol. Writes to standard output how many
states there are, how many of them may end a text, these, and the transitions, all as 32-bit numbers. With
status SYNTAX the pattern is none, with TOO_LARGE it has too many states.
"""

import json
import sys
from array import array
from collections.abc import Mapping

from outlines_core import Index, Vocabulary

SYNTAX, TOO_LARGE = 3, 4
MAX_STATES = 2048
MAX_CPU_SECONDS = 2
_MAX_MEMORY_BYTES = 2**30
# A text may end where this may follow. outlines_core drops the ways from an end to a state that is none; with
# this after the pattern, no state of a text is an end: text·STOP matches pattern·STOP where text matches.
_STOP = "\U0010ffff"
_END = 256  # a token that outlines_core wants, beside the bytes

Transitions = Mapping[int, Mapping[int, int]]


def main() -> int:
    import resource  # not everywhere, and needed here only

    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = json.load(sys.stdin)
    pattern: str = given["pattern"]
    if not _is_pattern(pattern):
        return SYNTAX
    # Over bytes first: of characters, it would refuse patterns some of whose ways need others than these.
    index = Index(f"(?:{pattern}){_STOP}", Vocabulary(_END, {bytes([byte]): [byte] for byte in range(_END)}))
    transitions: Transitions = index.get_transitions()
    symbols = [bytes.fromhex(symbol) for symbol in given["symbols"]]
    states, rows = _over_symbols(transitions, index.get_initial_state(), symbols)
    if len(states) > MAX_STATES:
        return TOO_LARGE
    ends = index.get_final_states()
    accepting = [n for state, n in states.items() if _after(transitions, state, _STOP.encode()) in ends]
    sys.stdout.buffer.write(array("i", [len(states), len(accepting), *accepting]).tobytes() + rows.tobytes())
    return 0


def _is_pattern(pattern: str) -> bool:
    """Whether it is one by itself: `a)(b` is none, and would be between brackets."""
    try:
        Index(pattern, Vocabulary(_END, {b"a": [0]}))
    except ValueError as error:
        return "incompatible" in str(error)  # it is one, of other characters
    return True


def _after(transitions: Transitions, state: int, symbol: bytes) -> int | None:
    """The state after a symbol's bytes, if there is one."""
    found: int | None = state
    for byte in symbol:
        found = None if found is None else transitions.get(found, {}).get(byte)
    return found


def _over_symbols(
    transitions: Transitions, initial: int, symbols: list[bytes]
) -> tuple[dict[int, int], "array[int]"]:
    """The states that whole symbols reach, numbered, and where each symbol leads from each: -1 is nowhere."""
    states, rows = {initial: 0}, array("i")
    waiting = [initial]
    for state in waiting:  # grows as new states are found
        for symbol in symbols:
            found = _after(transitions, state, symbol) if symbol else None
            if found is not None and found not in states:
                states[found] = len(states)
                waiting.append(found)
            rows.append(-1 if found is None else states[found])
        if len(states) > MAX_STATES:
            break
    return states, rows


if __name__ == "__main__":
    sys.exit(main())
