"""Opens each annotator once per process, when its first strings come."""

import atexit
import os
import threading
from contextlib import ExitStack

from nextchar.batch.annotator import Annotator, OpenAnnotator

_lock = threading.Lock()
_opened: dict[tuple[int, Annotator], OpenAnnotator] = {}
_kept, _owner = ExitStack(), os.getpid()


def opened_once(annotator: Annotator) -> OpenAnnotator:
    """Returns the annotator, opened in this process; a process that was forked opens its own.

    Raises:
        NextcharError: it cannot be opened.
    """
    key = os.getpid(), annotator
    with _lock:
        if key not in _opened:
            _opened[key] = _kept.enter_context(annotator.open())
        return _opened[key]


@atexit.register
def _close() -> None:
    """Closes what is open while the interpreter still has what that takes; a fork leaves it to its parent."""
    if os.getpid() == _owner:
        _kept.close()


if hasattr(os, "register_at_fork"):  # the lock may be held while another thread forks
    os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
