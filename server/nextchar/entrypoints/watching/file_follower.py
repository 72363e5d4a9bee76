"""Follows a file by its name while it grows, is rotated, truncated, deleted or made anew, as `tail -F` does.

It looks four times a second. That takes microseconds, and works on every file system; the notifications of
the kernel (inotify) do not come from network file systems and from some mounts of containers, and would need
a library for each system.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from nextchar.entrypoints.watching.followed_file import FollowedFile
from nextchar.entrypoints.watching.source import CHUNK_BYTES, NOTHING_YET, THE_END, Piece

# After a rotation: some programs write to the old file until they have opened the new one.
QUIET_SECONDS = 1.0
_MAX_FILES = 64
_MISSING = "is not there: waiting for it"


class FileFollower:
    """Reads every line of a file once and in order, also of those that take its name.

    * **Renamed, deleted or replaced** (logrotate's default): the old file is read to its end, and until
      nothing was added for `QUIET_SECONDS`; then the new one from its beginning. Files that take the name
      meanwhile are held open and read in turn, so that a slow reader loses none of them, up to 64.
    * **Truncated** (`copytruncate`) or written anew: it is read from its beginning.
    * **Not there**, now or any more: it is waited for.

    What is lost: what was added to a file before it was truncated and not read yet, and the lines of a file
    that has had the name for less time than passes between two looks.
    """

    def __init__(
        self,
        path: Path,
        *,
        num_lines: int | None,
        follows: bool = True,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begins with the last `num_lines` lines of the file, all of them if it is None.

        Args:
            follows: Whether more is waited for at the end of the file, and by its name.
            tell: Is given a sentence whenever something happens to the file.

        Raises:
            OSError: the file cannot be read, or is not there and not to be followed.
        """
        self._path, self._tell, self._clock, self._sleep = path, tell, clock, sleep
        self._follows, self.has_ended = follows, False
        self._files: deque[FollowedFile] = deque()
        self._quiet_since: float | None = None
        self._told: str | None = None  # why the name leads to no file
        try:
            self._files.append(FollowedFile(path))
        except FileNotFoundError:
            if not follows:
                raise
            self._tell_trouble(_MISSING)
        else:
            if num_lines is not None:
                self._files[0].skip_to_last(num_lines)

    @property
    def num_behind_bytes(self) -> int:
        """How many bytes of all files that are open were not read yet."""
        return sum(file.num_behind_bytes for file in self._files)

    def close(self) -> None:
        """Closes the files."""
        while self._files:
            self._files.popleft().close()

    def wait(self, seconds: float) -> None:
        """Waits."""
        self._sleep(seconds)

    def read(self) -> Piece:
        """Returns what comes next, as `Source.read`."""
        if self._follows:
            self._look()
        if not self._files or self.has_ended:
            return NOTHING_YET
        file = self._files[0]
        if file.is_rewritten():
            self._tell(f"{self._path} was truncated or written anew: reading it from its beginning")
            file.rewind()
            return THE_END
        if data := file.read(CHUNK_BYTES):
            self._quiet_since = None
            return Piece(data)
        if not self._follows:
            self.has_ended = True
            return THE_END
        if len(self._files) > 1 and self._is_quiet():
            self._files.popleft().close()
            self._quiet_since = None
            return THE_END
        return NOTHING_YET

    def _is_quiet(self) -> bool:
        now = self._clock()
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since >= QUIET_SECONDS

    def _look(self) -> None:
        """Opens the file that has the name now, if it is another one."""
        try:
            found = os.stat(self._path)
            if any(file.is_named_by(found) for file in self._files):
                self._told = None
                return
            if len(self._files) >= _MAX_FILES:
                self._tell_trouble(f"was replaced {_MAX_FILES} times before it was read: some of it is lost")
                return
            self._files.append(FollowedFile(self._path))
        except FileNotFoundError:
            self._tell_trouble("is gone: waiting for a new one" if self._files else _MISSING)
        except OSError as error:
            self._tell_trouble(f"cannot be read now ({error.strerror or error}): waiting until it can")
        else:
            self._told = None
            was = (
                "was replaced: the new one is read after it"
                if len(self._files) > 1
                else "is there: reading it"
            )
            self._tell(f"{self._path} {was}")

    def _tell_trouble(self, what: str) -> None:
        if what != self._told:
            self._tell(f"{self._path} {what}")
        self._told = what
