"""Writes an output file under another name, and gives it its own once it is whole."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nextchar.batch.files.compression import compressing
from nextchar.model.file_name import Compression


@contextmanager
def output_file(path: str | None, compression: Compression | None) -> Generator[IO[bytes]]:
    """Opens the output; None is standard output. A file that is not finished is removed.

    Raises:
        OSError: it cannot be written; the error has no name of a file.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = Path(f"{path}.partial")
    file = partial.open("wb")
    try:
        with file:
            with compressing(file, compression) as packed:
                yield packed
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
