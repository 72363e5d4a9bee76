"""Reads a file that may be any: a pipe, a folder, or larger than what is expected there."""

import os
import stat
from pathlib import Path

from nextchar.errors import ModelFileError


def read_regular_file(path: Path, *, max_bytes: int, kind: str, shown: str | None = None) -> bytes:
    """Returns the bytes of a file of some kind; `shown` names it in errors, by default its path does.

    Raises:
        ModelFileError: it cannot be read, is no regular file, or has more than `max_bytes`.
    """
    shown = shown or str(path)
    try:
        # Not blocking: a named pipe without a writer in place of a file must not hang the server.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelFileError(f"{shown}: cannot be read: not a regular file")
            if found.st_size > max_bytes:
                raise ModelFileError(
                    f"{shown}: has {found.st_size} bytes, the limit of a {kind} file is {max_bytes}"
                )
            return file.read(max_bytes)
    except OSError as error:
        raise ModelFileError(f"{shown}: cannot be read: {error.strerror}") from error
