"""Defines a regular file that is open and grows: how far it was read, and whether that is still there."""

import os
import stat
from pathlib import Path

_KNOWN_BYTES = 256  # before the place that was read to; a log's lines, which have times, do not repeat them
_BLOCK_BYTES = 65_536


class NotRegular(OSError):
    """What was opened is a folder, a device or a pipe."""


class FollowedFile:
    """A file at its place in the text. It stays the same file when its name is given to another one."""

    def __init__(self, path: Path) -> None:
        """Opens the file at its beginning.

        Raises:
            NotRegular: it is no regular file.
            OSError: it cannot be opened.
        """
        # Without O_NONBLOCK, a pipe that has taken the name meanwhile would wait for a writer.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.status = os.fstat(self._descriptor)
        if not stat.S_ISREG(self.status.st_mode):
            self.close()
            raise NotRegular("it is not a regular file")
        self._offset, self._known = 0, b""

    @property
    def num_behind_bytes(self) -> int:
        """How many bytes were not read yet."""
        return max(0, os.fstat(self._descriptor).st_size - self._offset)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)

    def is_named_by(self, found: os.stat_result) -> bool:
        """Returns whether this is the file of which a name tells."""
        return os.path.samestat(self.status, found)

    def read(self, max_bytes: int) -> bytes:
        """Returns the next bytes; none if there are none yet."""
        data = os.pread(self._descriptor, max_bytes, self._offset)
        self._offset += len(data)
        self._known = (self._known + data)[-_KNOWN_BYTES:]
        return data

    def is_rewritten(self) -> bool:
        """Returns whether the bytes read last are no longer there: the file was truncated or written anew.

        The size alone does not tell, because the file may have grown beyond the old one since.
        """
        begin = self._offset - len(self._known)
        return os.pread(self._descriptor, len(self._known), begin) != self._known

    def rewind(self) -> None:
        """Goes back to the beginning."""
        self._offset, self._known = 0, b""

    def skip_to_last(self, num_lines: int) -> None:
        """Goes to where the last so many whole lines begin; what follows the last newline comes too."""
        position, wanted = os.fstat(self._descriptor).st_size, num_lines + 1
        while position > 0:
            size = min(_BLOCK_BYTES, position)
            block = os.pread(self._descriptor, size, position - size)
            position -= size
            found = block.count(b"\n")
            if found >= wanted:
                self._go_to(position + _place_of_last(block, wanted) + 1)
                return
            wanted -= found
        self.rewind()

    def _go_to(self, offset: int) -> None:
        begin = max(0, offset - _KNOWN_BYTES)
        self._offset, self._known = offset, os.pread(self._descriptor, offset - begin, begin)


def _place_of_last(block: bytes, count: int) -> int:
    """Returns where the newline is that is the `count`-th from the end."""
    place = len(block)
    for _ in range(count):
        place = block.rindex(b"\n", 0, place)
    return place
