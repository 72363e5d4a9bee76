"""Compiles one pattern in a process of its own, which may be killed for it.

A pattern of a few characters can stand for an automaton of any size, so it is not built inside the server.
Reads JSON from standard input: the pattern, the bytes of each symbol, and for a quick try the seconds of a
processor that it may use, after which SIGPROF ends the process. Writes to standard output the number
of states, the number of states that may end a text, these states, and the transitions, all as 32-bit numbers.
Exits with SYNTAX for an invalid pattern, with TOO_LARGE for one with too many states.
"""

import json
import os
import signal
import sys
from array import array
from collections.abc import Mapping

from outlines_core import Index, Vocabulary

SYNTAX, TOO_LARGE = 3, 4
MAX_STATES = 2048
MAX_CPU_SECONDS = 2
_NICENESS = 10
_MAX_MEMORY_BYTES = 2**30
# outlines_core drops transitions from an accepting state to one that is not. With this symbol after the
# pattern no state of a text is accepting, and a text may end where this may follow: text·STOP matches
# pattern·STOP where text matches pattern.
_STOP = "\U0010ffff"
_END = 256  # a token that outlines_core requires beside the bytes

Transitions = Mapping[int, Mapping[int, int]]


def main() -> int:
    import resource  # not on every platform, and needed here only

    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = json.load(sys.stdin)
    if given.get("cpu_seconds"):
        signal.setitimer(signal.ITIMER_PROF, given["cpu_seconds"])  # SIGPROF ends the process
    else:
        os.nice(_NICENESS)  # behind the quick tries of others, and behind the server itself
    pattern: str = given["pattern"]
    if not _is_pattern(pattern):
        return SYNTAX
    # Over bytes first: over characters, it would refuse patterns that have transitions on other characters.
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
    """Returns whether a pattern is valid by itself: `a)(b` is not, and would be between brackets."""
    try:
        Index(pattern, Vocabulary(_END, {b"a": [0]}))
    except ValueError as error:
        return "incompatible" in str(error)  # valid, and of other characters
    return True


def _after(transitions: Transitions, state: int, symbol: bytes) -> int | None:
    """Returns the state after a symbol's bytes, if there is one."""
    reached: int | None = state
    for byte in symbol:
        reached = None if reached is None else transitions.get(reached, {}).get(byte)
    return reached


def _over_symbols(
    transitions: Transitions, initial: int, symbols: list[bytes]
) -> tuple[dict[int, int], "array[int]"]:
    """Numbers the states that whole symbols reach; returns them and all transitions, -1 for none."""
    states, rows = {initial: 0}, array("i")
    to_visit = [initial]
    for state in to_visit:  # grows as new states are reached
        for symbol in symbols:
            reached = _after(transitions, state, symbol) if symbol else None
            if reached is not None and reached not in states:
                states[reached] = len(states)
                to_visit.append(reached)
            rows.append(-1 if reached is None else states[reached])
        if len(states) > MAX_STATES:
            break
    return states, rows


if __name__ == "__main__":
    sys.exit(main())
