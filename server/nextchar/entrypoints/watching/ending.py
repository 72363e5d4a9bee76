"""Ends a command that runs for ever: by a signal, or because nobody reads what it prints."""

import errno
import os
import select
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal has asked for the end. No error, so that nothing takes it for the failure of a call."""


class Ending:
    """Turns the first signal into `Ended`, only where that breaks off nothing; the second one acts at once.

    So a line that is printed is printed whole.
    """

    def __init__(self) -> None:
        self._is_asked, self._may_raise = False, False

    @contextmanager
    def listening(self) -> Generator[None]:
        """Handles the signals in here, other than those that are ignored, as by nohup; returns at `Ended`."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        handled = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        try:
            for number in handled:
                signal.signal(number, self._ask)
            yield
        except Ended:
            pass
        finally:
            for number, handler in handled.items():
                signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Generator[None]:
        """Raises `Ended` in here as soon as a signal comes, or has come before."""
        self._may_raise = True
        try:
            if self._is_asked:
                raise Ended
            yield
        finally:
            self._may_raise = False

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self._is_asked:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._is_asked = True
        if self._may_raise:
            self._may_raise = False
            raise Ended


def check_reader(descriptor: int = 1) -> None:
    """Checks that whoever reads the output is still there, as `head` is not after its last line.

    A write would tell too, but there may be none for hours.

    Raises:
        BrokenPipeError: nobody reads it.
    """
    poll = select.poll()
    poll.register(descriptor, 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
