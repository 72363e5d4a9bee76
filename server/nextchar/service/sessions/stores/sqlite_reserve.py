"""Keeps some room on the disk, so that sessions can be deleted when it is full.

SQLite writes a deletion to its log before anything is freed. On a full disk that fails too, and nothing could
ever make room. So a file of zeros is kept beside the sessions, which is given up for this.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

_NUM_BYTES = 5 << 20  # more than the log has (1,000 pages), so that the log can be emptied into the file

logger = logging.getLogger(__name__)


class SqliteReserve:
    """Holds the room of one file of zeros."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Sets the room aside, unless it is or the disk has too little."""
        try:
            if self._path.exists() and self._path.stat().st_size == _NUM_BYTES:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                for _ in range(_NUM_BYTES >> 20):
                    os.write(descriptor, bytes(1 << 20))
            finally:
                os.close(descriptor)
        except OSError as error:
            logger.warning("no room can be set aside for deletions on a full disk: %s", error.strerror)
            self.release()

    def release(self) -> None:
        """Gives the room up."""
        with suppress(OSError):  # then there is no more room, and the caller's own error tells
            self._path.unlink(missing_ok=True)
