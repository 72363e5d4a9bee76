"""Reads standard input, or a pipe that has a name, as what is written comes."""

import os
import select
import stat
import time
from pathlib import Path

from nextchar.entrypoints.watching.source import CHUNK_BYTES, NOTHING_YET, THE_END, Piece

_OPEN_ELSEWHERE = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # as a shell names <(command)


class Stream:
    """What programs write into a pipe, or a terminal's lines.

    Standard input, and a pipe of which the other end cannot be opened again, ends with its writer. A pipe in
    the file system goes on with the next writer, if it is followed.
    """

    num_behind_bytes = 0  # a writer waits while the pipe is full

    def __init__(self, path: Path | None, *, follows: bool = True) -> None:
        """Opens a pipe, or standard input if there is no path; one that is not followed waits for its writer.

        Raises:
            OSError: it cannot be opened.
        """
        self._is_own = path is not None
        self._ends = not follows or path is None or str(path).startswith(_OPEN_ELSEWHERE)
        flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if follows else 0)
        self._descriptor = 0 if path is None else os.open(path, flags)
        self.has_ended, self._has_writer = False, True

    def close(self) -> None:
        """Closes the pipe; standard input stays open."""
        if self._is_own:
            os.close(self._descriptor)

    def wait(self, seconds: float) -> None:
        """Waits until something was written, or so many seconds; these too if there is no writer."""
        if self._has_writer:
            select.select([self._descriptor], [], [], seconds)
        else:
            time.sleep(seconds)

    def read(self) -> Piece:
        """Returns what comes next, as `Source.read`."""
        if self.has_ended or not select.select([self._descriptor], [], [], 0)[0]:
            return NOTHING_YET
        try:
            data = os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:  # another process has taken it
            return NOTHING_YET
        if data:
            self._has_writer = True
            return Piece(data)
        self.has_ended = self._ends
        had_writer, self._has_writer = self._has_writer, False
        return THE_END if had_writer else NOTHING_YET


def is_pipe(path: Path) -> bool:
    """Returns whether a path leads to a pipe or a terminal; what is not there is none."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
