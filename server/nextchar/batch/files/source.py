"""Opens what is read: a file or standard input, compressed or not."""

import io
import os
import stat
import tempfile
from typing import IO, Any, cast

from nextchar.batch.files.compression import SIGNATURE_BYTES, Decompressed, compression_of
from nextchar.model.text_file import CHUNK_BYTES, ByteSource

_PARQUET = b"PAR1"


class Source:
    """A binary file that is open: its name in errors, its format by its first bytes, and how much was read.

    The first bytes decide about compression, for standard input has no name and names may lie.
    """

    def __init__(self, file: IO[bytes], shown: str) -> None:
        self.shown = shown
        self._copy: IO[bytes] | None = None
        buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(Any, file))
        self.file: IO[bytes] = buffered
        self._first = buffered.peek(SIGNATURE_BYTES)[:SIGNATURE_BYTES]
        self.compression = compression_of(self._first)
        self._size = _size_of(file)

    @property
    def is_parquet(self) -> bool:
        """Whether it begins as a Parquet file does."""
        return self._first.startswith(_PARQUET)

    def plain(self) -> ByteSource:
        """Returns what is read, decompressed."""
        if self.compression is None:
            return cast(ByteSource, self.file)
        return Decompressed(self.file, self.compression, self.shown)

    def seekable(self) -> IO[bytes]:
        """Returns a file that can be read anywhere: a copy on disk, if this is a pipe."""
        if self._size is not None and self.compression is None:
            return self.file
        copy = self._copy = tempfile.TemporaryFile()  # noqa: SIM115 `close` closes it
        source = self.plain()
        while chunk := source.read1(CHUNK_BYTES):
            copy.write(chunk)
        copy.seek(0)
        return copy

    def close(self) -> None:
        """Closes the copy, if there is one."""
        if self._copy is not None:
            self._copy.close()

    def fraction(self) -> float | None:
        """Returns which part of the file was read; None if its size is not known."""
        return self.file.tell() / self._size if self._size else None

    def is_same_file(self, path: str) -> bool:
        """Returns whether a path leads to this file."""
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), os.stat(path))
        except OSError:
            return False


def _size_of(file: IO[bytes]) -> int | None:
    """Returns the size of a regular file; None for a pipe or a terminal."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
