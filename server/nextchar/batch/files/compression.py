"""Knows compressed data by its first bytes, and compresses what is written."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

from nextchar.batch.arrow import arrow
from nextchar.errors import InvalidRequest
from nextchar.model.file_name import Compression

# None of these begins a text in UTF-8 that anybody writes.
_SIGNATURES: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
SIGNATURE_BYTES = 6


def compression_of(first_bytes: bytes) -> Compression | None:
    """Returns how data that begin so are compressed."""
    return next((kind for start, kind in _SIGNATURES.items() if first_bytes.startswith(start)), None)


class Decompressed:
    """Reads a compressed file.

    Raises:
        InvalidRequest: zstd without pyarrow; while it is read, data that end too early or are damaged.
    """

    def __init__(self, file: IO[bytes], compression: Compression, shown: str) -> None:
        self._file, self._num_bytes = _reader(file, compression), 0
        self._compression, self._shown = compression, shown

    def read1(self, size: int, /) -> bytes:
        try:
            chunk: bytes = self._file.read(size) if self._compression == "zstd" else self._file.read1(size)
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise InvalidRequest(
                f"{self._shown} is cut off or damaged: its {self._compression} data cannot be read beyond "
                f"byte {self._num_bytes} of what it holds ({error})"
            ) from None
        self._num_bytes += len(chunk)
        return chunk


def _reader(file: IO[bytes], compression: Compression) -> Any:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if compression == "bzip2":
        return bz2.BZ2File(file)
    if compression == "xz":
        return lzma.LZMAFile(file)
    return arrow("zstd").CompressedInputStream(file, "zstd")


@contextmanager
def compressing(file: IO[bytes], compression: Compression | None) -> Generator[IO[bytes]]:
    """Opens a file that compresses what is written into another; the same data make the same bytes."""
    if compression is None:
        yield file
        return
    packed: Any
    if compression == "gzip":
        packed = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=6)
    elif compression == "bzip2":
        packed = bz2.BZ2File(file, "wb")
    elif compression == "xz":
        packed = lzma.LZMAFile(file, "wb")  # noqa: SIM115 it is entered below
    else:
        # The stream closes what it writes to.
        own = os.fdopen(os.dup(file.fileno()), "wb")
        packed = arrow("zstd").CompressedOutputStream(own, "zstd")
    with packed:
        yield packed
