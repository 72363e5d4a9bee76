"""Waits for what another thread or process does on its own; a test that would wait for ever fails instead."""

import threading
from collections.abc import Callable

_SECONDS = 60.0
_BETWEEN_SECONDS = 0.01


def until(observed: Callable[[], object], *, seconds: float = _SECONDS) -> None:
    """Returns when `observed` is true; raises AssertionError if it is not within `seconds`.

    Prefer an event that the code under test sets. This is for what only a look can tell: a metric, a process.
    """
    pause = threading.Event()
    for _ in range(int(seconds / _BETWEEN_SECONDS)):
        if observed():
            return
        pause.wait(_BETWEEN_SECONDS)
    raise AssertionError(f"it did not happen within {seconds:g} seconds")
